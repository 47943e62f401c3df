"""The pages people see during a sign-in: plain HTML, no script, nothing loaded from elsewhere.

Everything a client chose is escaped and shown as its claim. The pages link to nothing of it but
its registered redirect URI, by that host's name.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from functions.oauth.pages.account import NOTICE_TEXTS, AccountView, Notice, shown
from functions.oauth.pages.destinations import destination_of
from functions.oauth.pages.error_texts import text_of
from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import SignInId
from shared.domain.known_clients import claimed_name
from shared.domain.scopes import SCOPE_TEXTS, Scope
from shared.domain.sign_ins import AuthorizationRequest
from shared.domain.tokens import PlainToken
from shared.errors.base import ServiceError
from shared.observability.debug_answers import debug_of

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    auto_reload=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentForm:
    """What the consent page asks, and the two values that bind its answer to this rendering."""

    client: Client
    request: AuthorizationRequest
    sign_in_id: SignInId
    consent: PlainToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """A way on from an error page to the client, for people who know where it leads."""

    url: str
    name: str


class Pages:
    """Renders pages for one Drupal site."""

    def __init__(self, site: str, *, account_url: str, mcp_url: str) -> None:
        self._site_host = urlsplit(site).netloc
        self._mcp_url = mcp_url
        self._account_url = account_url

    def consent(self, form: ConsentForm) -> Response:
        """The consent page (RFC 9700 section 4.14: who asks, for what, and where it goes)."""
        destination = destination_of(
            form.request.redirect_uri,
            claimed_name=claimed_name(form.client, form.request.redirect_uri),
        )
        return self._page(
            "consent.html",
            form_action="'self'",
            client_name=form.client.client_name,
            client_origin=_origin_of(form.client.client_uri),
            document_host=_document_host(form.client),
            destination=destination,
            scope_texts=[SCOPE_TEXTS[Scope(scope)] for scope in form.request.scopes],
            sign_in_id=form.sign_in_id,
            consent=form.consent,
        )

    def onward_to_site(self, url: str) -> Response:
        """Lead the person on to the site, at ``url``."""
        return self._onward(url, self._site_host)

    def onward_to_client(self, url: str, redirect_uri: str) -> Response:
        """Lead the person back to the client at ``url``, which begins with ``redirect_uri``."""
        return self._onward(url, destination_of(redirect_uri).name)

    def _onward(self, url: str, name: str) -> Response:
        """The answer to a form whose way leads elsewhere (ADR-045).

        A redirect would still count as the form's: browsers hold every step of it, on every host
        after us, against the form page's ``form-action``. From a page of its own it does not.
        """
        return self._page("onward.html", url=url, destination=name)

    def account(self, view: AccountView, *, notice: Notice | None) -> Response:
        """A person's connected applications."""
        return self._page(
            "account.html",
            form_action="'self'",
            notice=NOTICE_TEXTS[notice] if notice else None,
            connections=[shown(one) for one in view.connections],
            more=view.more,
            proof=view.proof,
            mcp_url=self._mcp_url,
        )

    def account_door(self, *, notice: Notice | None) -> Response:
        """The account page for somebody who is not signed in to it."""
        return self._page(
            "account_door.html",
            form_action="'self'",
            notice=NOTICE_TEXTS[notice] if notice else None,
        )

    def error(
        self,
        error: ServiceError,
        *,
        correlation_id: str,
        at_account: bool = False,
        onward: Onward | None = None,
    ) -> Response:
        """A page that says what happened and what to do; with a way back or on where there is one.

        ``at_account`` leads back to the account page, ``onward`` to the client.
        """
        text = text_of(error, at_account=at_account)
        return self._page(
            "error.html",
            status=error.entry.http_status,
            title=text.title,
            message=error.entry.message,
            steps=text.steps,
            onward=onward,
            correlation_id=correlation_id,
            account_url=self._account_url if at_account else None,
            debug=json.dumps(debug, indent=2) if (debug := debug_of(error)) else None,
        )

    def _page(
        self, template: str, *, status: int = 200, form_action: str = "'none'", **values: object
    ) -> Response:
        html = _environment.get_template(template).render(
            site_host=self._site_host,
            style=Markup(_STYLE),  # noqa: S704 - our own file, whose hash is in the policy
            **values,
        )
        headers = {"content-security-policy": _policy(form_action)}
        return HTMLResponse(html, status_code=status, headers=headers)


def _policy(form_action: str) -> str:
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def _document_host(client: Client) -> str | None:
    """Where the client's description was fetched from: more than the client's own word."""
    if client.kind is not RegistrationKind.DOCUMENT:
        return None
    return urlsplit(client.client_id).netloc


def _origin_of(uri: str | None) -> str | None:
    return urlsplit(uri).netloc or None if uri else None
