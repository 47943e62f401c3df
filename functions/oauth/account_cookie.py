"""The cookie of a visit to the account page, and the proof in that page's forms.

The cookie's value is known to the database by hash. Its forms carry a value derived from it: what
another site makes the browser send has no such value (OWASP: signed double submit).
"""

import base64
import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import Response

from shared.domain.account_page import VISIT_SECONDS_MAX
from shared.domain.tokens import PlainToken, TokenKind, has_shape

COOKIE_NAME = "__Host-dmcp_account"


def read(request: Request) -> PlainToken | None:
    """The visit's secret; None when there is none or it is not one of ours."""
    value = request.cookies.get(COOKIE_NAME, "")
    return PlainToken(value) if has_shape(value, TokenKind.ACCOUNT_VISIT) else None


def remember(response: Response, visit: PlainToken) -> None:
    """Set the cookie. Lax, because the person comes here from Drupal by a top-level redirect."""
    response.set_cookie(
        COOKIE_NAME,
        visit,
        max_age=VISIT_SECONDS_MAX,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response) -> None:
    """Take the cookie away."""
    response.delete_cookie(COOKIE_NAME, path="/", secure=True, httponly=True, samesite="lax")


def form_proof(visit: PlainToken) -> PlainToken:
    """What the forms of this visit carry."""
    digest = hmac.new(visit.encode(), b"account-form", hashlib.sha256).digest()
    text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return PlainToken(TokenKind.ACCOUNT_FORM.value + text)


def proves(given: str, visit: PlainToken) -> bool:
    """Whether a form that carried ``given`` is of this visit."""
    return hmac.compare_digest(given.encode(), form_proof(visit).encode())
