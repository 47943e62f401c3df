"""What pages say and allow, for every kind of destination and every error."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from functions.oauth.browser_cookie import upstream_verifier
from functions.oauth.pages.account import shown
from functions.oauth.pages.destinations import destination_of, may_skip_consent
from functions.oauth.pages.error_texts import text_of
from functions.oauth.pages.render import Pages
from shared.domain import pkce
from shared.domain.account_page import Connection
from shared.domain.identifiers import GrantId
from shared.domain.tokens import TokenKind, mint
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode

ACCOUNT = "https://auth.example/account"
PAGES = Pages("https://drupal.example", account_url=ACCOUNT, mcp_url="https://mcp.example/mcp")


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


def test_a_name_of_a_known_client_that_returns_elsewhere_is_warned_of() -> None:
    warning = destination_of("https://evil.example/cb", claimed_name="Claude").warning

    assert warning is not None
    assert "calls itself Claude" in warning


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_has_a_page_with_message_steps_and_reference(code: ErrorCode) -> None:
    error = error_of(code)

    page = PAGES.error(error, correlation_id="reference-1")

    html = bytes(page.body).decode()
    assert page.status_code == error.entry.http_status
    assert "reference-1" in html
    assert text_of(error).steps
    assert "form-action 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("code", list(ErrorCode))
def test_at_the_account_page_every_error_leads_back_there_and_to_no_application(
    code: ErrorCode,
) -> None:
    error = error_of(code)

    html = bytes(PAGES.error(error, correlation_id="r", at_account=True).body).decode()

    assert f'href="{ACCOUNT}"' in html
    assert text_of(error, at_account=True).steps
    assert "your application" not in " ".join(text_of(error, at_account=True).steps)


def test_times_are_shown_in_words_and_exactly() -> None:
    connection = Connection(
        grant_id=GrantId(UUID(int=1)),
        client_name="App",
        client_uri=None,
        redirect_uri="cursor://anysphere.cursor-mcp/cb",
        scopes=("tutorial:read", "of an earlier version"),
        connected_at=datetime(2026, 11, 5, 23, 4, tzinfo=timezone(timedelta(hours=2))),
        last_used_at=datetime(2026, 11, 25, 10, 12, 1, tzinfo=UTC),
    )

    words = shown(connection)

    assert words.connected == "5 November 2026, 21:04 UTC"
    assert words.used_at == "2026-11-25T10:12:01+00:00"
    assert words.origin is None
    assert words.returns_to == "cursor://anysphere.cursor-mcp"
    assert words.scopes == ("Read tutorials that your account can read",)


def test_the_upstream_verifier_needs_the_browser_and_the_state() -> None:
    browser, state = mint(TokenKind.BROWSER), mint(TokenKind.STATE)

    verifier = upstream_verifier(browser, state)

    assert len(verifier) == 43
    assert pkce.verifies(verifier, pkce.challenge_of(verifier))
    assert verifier == upstream_verifier(browser, state)
    assert verifier != upstream_verifier(mint(TokenKind.BROWSER), state)
    assert verifier != upstream_verifier(browser, mint(TokenKind.STATE))
