"""What pages say and allow, for every kind of destination and every error."""

import pytest

from functions.oauth.browser_cookie import upstream_verifier
from functions.oauth.pages.destinations import destination_of, may_skip_consent
from functions.oauth.pages.error_texts import text_of
from functions.oauth.pages.render import Pages
from shared.domain import pkce
from shared.domain.tokens import TokenKind, mint
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode


def error_of(code: ErrorCode) -> ServiceError:
    error = ServiceError()
    error.code = code  # type: ignore[misc] # stands for each subclass in turn
    return error


@pytest.mark.parametrize(
    ("uri", "name", "remembered"),
    [
        ("https://claude.ai/api/mcp/auth_callback", "claude.ai", True),
        ("https://app.example:8443/cb", "app.example:8443", True),
        ("http://127.0.0.1:53127/cb", "127.0.0.1:53127", False),
        ("http://localhost/cb", "localhost", False),
        ("http://[::1]:5000/cb", "[::1]:5000", False),
        ("cursor://anysphere.cursor-mcp/cb", "cursor://anysphere.cursor-mcp", False),
        ("com.example.app:/callback", "com.example.app:", False),
    ],
)
def test_a_destination_is_named_and_warned_of_where_anybody_can_claim_it(
    uri: str, name: str, *, remembered: bool
) -> None:
    destination = destination_of(uri)

    assert destination.name == name
    assert may_skip_consent(uri) is remembered
    assert (destination.warning is None) is remembered


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_has_a_page_with_message_steps_and_reference(code: ErrorCode) -> None:
    error = error_of(code)

    page = Pages("https://drupal.example").error(error, correlation_id="reference-1")

    html = bytes(page.body).decode()
    assert page.status_code == error.entry.http_status
    assert "reference-1" in html
    assert text_of(error).steps
    assert "form-action 'none'" in page.headers["content-security-policy"]


def test_the_upstream_verifier_needs_the_browser_and_the_state() -> None:
    browser, state = mint(TokenKind.BROWSER), mint(TokenKind.STATE)

    verifier = upstream_verifier(browser, state)

    assert len(verifier) == 43
    assert pkce.verifies(verifier, pkce.challenge_of(verifier))
    assert verifier == upstream_verifier(browser, state)
    assert verifier != upstream_verifier(mint(TokenKind.BROWSER), state)
    assert verifier != upstream_verifier(browser, mint(TokenKind.STATE))
