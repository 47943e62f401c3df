"""Answers in the shapes that Drupal gives them: pages, JSON, redirects, the bare error page.

Never puts a token into a page, and never copies Drupal's own markup.
"""

import json
from collections.abc import Mapping
from html import escape
from string import Template

from starlette.responses import Response

NOT_CACHED = "must-revalidate, no-cache, private"
HTML_TYPE = "text/html; charset=UTF-8"
APOLOGY_REASON = "500 Service unavailable (with message)"

_PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title | $site</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: #f3f4f9; color: #222330; }
header { background: #003ecc; color: #fff; padding: 1rem 1.5rem; font-weight: 600; }
main { max-width: 34rem; margin: 2rem auto; padding: 1.5rem; background: #fff;
  border-radius: .5rem; }
label { display: block; margin-top: 1rem; }
input[type=text], input[type=password] { width: 100%; box-sizing: border-box; padding: .5rem;
  font: inherit; }
button, input[type=submit] { font: inherit; padding: .5rem 1.25rem; margin: 1rem .5rem 0 0; }
.error { color: #a51b00; }
</style></head>
<body><header>$site</header><main><h1>$title</h1>
$body
</main></body></html>
""")


def page(
    site_name: str,
    title: str,
    body: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An HTML page; ``body`` is markup, ``title`` is text."""
    markup = _PAGE.substitute(site=escape(site_name), title=escape(title), body=body)
    return html(markup, status=status, headers=headers)


def html(markup: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """HTML as it stands."""
    return answer(markup.encode(), HTML_TYPE, status=status, headers=headers)


def json_answer(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON in PHP's spelling: slashes escaped, no spaces."""
    return answer(encode_json(value), "application/json", status=status, headers=headers)


def encode_json(value: object) -> bytes:
    """PHP's ``json_encode``: ASCII only, compact, slashes escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def answer(
    body: bytes, content_type: str, *, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Any answer, not cacheable unless ``headers`` say otherwise."""
    merged = {"Cache-Control": NOT_CACHED, "X-Generator": "Drupal (fake)", **(headers or {})}
    response = Response(body, status_code=status, headers=merged)
    if content_type:
        response.headers["Content-Type"] = content_type
    return response


def redirect(location: str, *, with_page: bool = True) -> Response:
    """302, with the small page that Drupal adds to most redirects."""
    target = escape(location)
    markup = (
        f"<!DOCTYPE html><html><head><title>Redirecting to {target}</title></head>"
        f'<body>Redirecting to <a href="{target}">{target}</a>.</body></html>'
    )
    return html(markup if with_page else "", status=302, headers={"Location": location})


def apology(text: str, *, early: bool = False) -> Response:
    """What is left of an uncaught PHP error; ``early`` when not even the kernel had started."""
    if early:
        return html(f"{text}<br />", status=500, headers={"Cache-Control": "no-cache, private"})
    return html(text, status=500)


def refusal(
    site_name: str,
    title: str,
    *,
    status: int,
    wants_json: bool,
    message: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A refused request: a page, or ``{"message": …}`` when the query asked for JSON."""
    if wants_json:
        return json_answer({"message": message}, status=status, headers=headers)
    return page(
        site_name, title, "<p>This page cannot be shown.</p>", status=status, headers=headers
    )


def maintenance(site_name: str, *, wants_json: bool) -> Response:
    """503: a page, or plain text when the query asked for JSON; never a Retry-After."""
    text = f"{site_name} is currently under maintenance. We should be back shortly."
    if wants_json:
        return answer(text.encode(), "text/plain; charset=UTF-8", status=503)
    return page(site_name, "Site under maintenance", f"<p>{escape(text)}</p>", status=503)
