"""The cookie that binds a sign-in to the browser which started it.

Its value is a secret of that browser: the database knows its hash, and Drupal's code can only be
redeemed with it. It identifies no person and gives access to nothing.
"""

import base64
import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import Response

from shared.domain.tokens import PlainToken, TokenKind, has_shape, mint

COOKIE_NAME = "__Host-dmcp_browser"
"""Its prefix makes browsers insist on Secure, Path=/ and no Domain: no sibling can plant it."""
APPROVAL_SECONDS = 2_592_000
"""How long a browser may skip the consent page for what it approved. The cookie lives as long; a
sign-in itself ends by its own ten minutes in the database."""


def read(request: Request) -> PlainToken | None:
    """The browser's secret; None when there is none or it is not one of ours."""
    value = request.cookies.get(COOKIE_NAME, "")
    return PlainToken(value) if has_shape(value, TokenKind.BROWSER) else None


def read_or_mint(request: Request) -> PlainToken:
    """The browser's secret, kept if it has one: several sign-ins may be open in several tabs."""
    return read(request) or mint(TokenKind.BROWSER)


def remember(response: Response, browser: PlainToken) -> None:
    """Set the cookie. Lax, because the person comes back from Drupal by a top-level redirect."""
    response.set_cookie(
        COOKIE_NAME,
        browser,
        max_age=APPROVAL_SECONDS,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def upstream_state(browser: PlainToken, consent: PlainToken) -> PlainToken:
    """The state of our own request to Drupal: 256 bits that only this browser's answer yields.

    Derived, so that an answer sent twice (a double click, Back and once more) leads to the same
    sign-in instead of a dead end.
    """
    return PlainToken(TokenKind.STATE.value + _derived(browser, b"drupal-state", consent))


def upstream_verifier(browser: PlainToken, state: PlainToken) -> str:
    """The PKCE verifier of our own request to Drupal (RFC 7636 section 4.1): 43 characters.

    Derived instead of stored: the database alone cannot redeem a code that Drupal sent, only the
    browser that started the sign-in can.
    """
    return _derived(browser, b"drupal-pkce", state)


def _derived(browser: PlainToken, purpose: bytes, value: PlainToken) -> str:
    digest = hmac.new(browser.encode(), purpose + value.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
