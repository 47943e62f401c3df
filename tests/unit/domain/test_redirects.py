"""Which redirect URIs may be registered, and which match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import redirects

ACCEPTABLE = [
    "https://claude.ai/api/mcp/auth_callback",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    "https://vscode.dev/redirect",
    "http://127.0.0.1:33418/",
    "http://127.0.0.1/",
    "http://localhost:6274/oauth/callback",
    "http://localhost/callback",
    "http://[::1]:8080/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "com.example.app:/oauth",
    "https://staging_1.example-app.com:8443/callback",
    "https://[2001:db8::1]/callback",
]

UNSAFE = [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "vbscript:x",
    "http://example.com/callback",
    "http://127.0.0.1.example.com/callback",
    "http://localhost.example.com/callback",
    "http://127.1/callback",
    "http://2130706433/callback",
    "http://0x7f.1/callback",
    "http://127.0.0.2/callback",
    "HTTP://127.0.0.1/callback",
    "HTTPS://example.com/callback",
    "https://user@example.com/callback",
    "https://user:secret@example.com/callback",
    "https://example.com/a/../callback",
    "https://example.com/a/%2e%2e/callback",
    "https://example.com/callback#fragment",
    "https://example.com/call back",
    "https://example.com/\\evil",
    "https://exämple.com/callback",
    "https:///callback",
    "https://example.com:99999/",
    "https://*.example.com/callback",
    "https://example.com;sandbox/callback",
    "https://example.com,evil.example/callback",
    "https://example.com%2eevil.example/callback",
    "https://example.com'/callback",
    "myapp:callback",
    "",
    "//example.com",
    "https://example.com/" + "a" * 2_000,
    "https://example.com/\x00",
]


@pytest.mark.parametrize("uri", ACCEPTABLE)
def test_redirects_of_real_clients_may_be_registered(uri: str) -> None:
    assert redirects.may_register(uri)


@pytest.mark.parametrize("uri", UNSAFE)
def test_unsafe_redirects_may_not_be_registered(uri: str) -> None:
    assert not redirects.may_register(uri)


@pytest.mark.parametrize(
    ("requested", "registered"),
    [
        ("http://127.0.0.1:5000/callback", "http://127.0.0.1/callback"),
        ("http://127.0.0.1/callback", "http://127.0.0.1:4000/callback"),
        ("http://localhost:61234/callback", "http://localhost/callback"),
        ("http://[::1]:5000/callback", "http://[::1]:1/callback"),
    ],
)
def test_only_the_port_of_a_loopback_redirect_may_differ(requested: str, registered: str) -> None:
    assert redirects.matches(requested, registered)


@pytest.mark.parametrize(
    ("requested", "registered"),
    [
        ("http://localhost:5000/callback", "http://127.0.0.1/callback"),
        ("http://127.0.0.1:5000/other", "http://127.0.0.1/callback"),
        ("http://127.0.0.1:5000/callback?x=1", "http://127.0.0.1/callback"),
        ("http://127.0.0.1:0/callback", "http://127.0.0.1/callback"),
        ("http://127.0.0.1:70000/callback", "http://127.0.0.1/callback"),
        ("https://example.com:8443/cb", "https://example.com/cb"),
        ("https://example.com/cb/", "https://example.com/cb"),
        ("https://example.com/x/../cb", "https://example.com/cb"),
        ("https://EXAMPLE.com/cb", "https://example.com/cb"),
        ("http://127.0.0.1:1@example.com/callback", "http://127.0.0.1/callback"),
    ],
)
def test_any_other_difference_is_a_mismatch(requested: str, registered: str) -> None:
    assert not redirects.matches(requested, registered)


@given(st.text())
def test_whatever_may_be_registered_leads_to_https_loopback_or_an_application(uri: str) -> None:
    if redirects.may_register(uri):
        assert (
            uri.startswith("https://")
            or redirects.is_loopback(uri)
            or redirects.is_private_scheme(uri)
        )


@given(st.sampled_from(ACCEPTABLE), st.text(min_size=1, max_size=3))
def test_a_suffix_never_matches(uri: str, suffix: str) -> None:
    assert not redirects.matches(uri + suffix, uri)
