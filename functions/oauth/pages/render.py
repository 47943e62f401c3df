"""The pages people see during a sign-in: plain HTML, no script, nothing loaded from elsewhere.

Everything a client chose is escaped and shown as its claim; the pages never link to it.
"""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from functions.oauth.pages.destinations import destination_of
from functions.oauth.pages.error_texts import text_of
from shared.domain.clients import Client
from shared.domain.identifiers import SignInId
from shared.domain.scopes import SCOPE_TEXTS, Scope
from shared.domain.sign_ins import AuthorizationRequest
from shared.domain.tokens import PlainToken
from shared.errors.base import ServiceError

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


class Pages:
    """Renders pages for one Drupal site, whose origin forms may lead to."""

    def __init__(self, site: str) -> None:
        parts = urlsplit(site)
        self._site_host = parts.netloc
        self._site_origin = f"{parts.scheme}://{parts.netloc}"

    def consent(self, form: ConsentForm) -> Response:
        """The consent page (RFC 9700 section 4.14: who asks, for what, and where it goes)."""
        destination = destination_of(form.request.redirect_uri)
        html = _environment.get_template("consent.html").render(
            site_host=self._site_host,
            style=Markup(_STYLE),  # noqa: S704 - our own file, whose hash is in the policy
            client_name=form.client.client_name,
            client_origin=_origin_of(form.client.client_uri),
            destination=destination,
            scope_texts=[SCOPE_TEXTS[Scope(scope)] for scope in form.request.scopes],
            sign_in_id=form.sign_in_id,
            consent=form.consent,
        )
        # Chromium applies form-action to every redirect that follows the form, too.
        policy = _policy(f"'self' {self._site_origin} {destination.policy_source}")
        return HTMLResponse(html, headers={"content-security-policy": policy})

    def error(self, error: ServiceError, *, correlation_id: str) -> Response:
        """A page that says what happened and what to do."""
        text = text_of(error)
        html = _environment.get_template("error.html").render(
            site_host=self._site_host,
            style=Markup(_STYLE),  # noqa: S704 - our own file, whose hash is in the policy
            title=text.title,
            message=error.entry.message,
            steps=text.steps,
            correlation_id=correlation_id,
        )
        headers = {"content-security-policy": _policy("'none'")}
        return HTMLResponse(html, status_code=error.entry.http_status, headers=headers)


def _policy(form_action: str) -> str:
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def _origin_of(uri: str | None) -> str | None:
    return urlsplit(uri).netloc or None if uri else None
