"""Pages every site has: not found, wrong method, one content item.

Never shows a members' text to a browser that is not logged in as one.
"""

from html import escape

from starlette.responses import Response

from scripts.fake_drupal.accounts import READ_MEMBER_CONTENT
from scripts.fake_drupal.answers import page, refusal
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.login import browser_account
from scripts.fake_drupal.site import Site


def not_found(site: Site, call: Call) -> Response:
    """404."""
    return refusal(
        site.dialect.site_name,
        "Page not found",
        status=404,
        wants_json=call.wants_json,
        message=f'No route found for "{call.method} {call.path}"',
    )


def wrong_method(site: Site, allowed: str) -> Response:
    """405: a page, whatever the query asks for."""
    return page(
        site.dialect.site_name,
        "Client error",
        "<p>This method is not allowed here.</p>",
        status=405,
        headers={"Allow": allowed},
    )


def content_page(site: Site, call: Call) -> Response:
    """The public page of one item."""
    for item in site.content.values():
        if item.path != call.path:
            continue
        account = browser_account(site, call)
        permissions = site.permissions(account, account.roles if account else ())
        readable = not item.member_only or READ_MEMBER_CONTENT in permissions
        body = item.html if readable else f"<p>{escape(item.summary)}</p><p>For members.</p>"
        return page(site.dialect.site_name, item.title, body)
    return not_found(site, call)
