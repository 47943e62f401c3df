"""Which redirect URIs may be registered, and which match."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import Url

from shared.domain import redirects
from tests.support.redirect_abuse import ABUSED_REDIRECTS

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
    "https://xn--bcher-kva.example/callback",
    "https://app.example/callback?tenant=a%2Fb%20c",
    "https://app.example/a%20b~c/",
    "com.example.app:///callback",
]

ABUSED = [
    pytest.param(uri, id=f"{trick}: {ascii(uri)[:60]}")
    for trick, uris in ABUSED_REDIRECTS.items()
    for uri in uris
]


@pytest.mark.parametrize("uri", ACCEPTABLE)
def test_redirects_of_real_clients_may_be_registered(uri: str) -> None:
    assert redirects.may_register(uri)


@pytest.mark.parametrize("uri", ABUSED)
def test_no_abused_redirect_may_be_registered(uri: str) -> None:
    assert not redirects.may_register(uri)


@pytest.mark.parametrize("uri", ABUSED)
def test_no_abused_redirect_matches_what_clients_register(uri: str) -> None:
    assert not redirects.is_registered(uri, tuple(ACCEPTABLE))


@pytest.mark.parametrize("uri", ["", "https://app.example/" + "a" * 100_000])
def test_neither_nothing_nor_too_much_may_be_registered(uri: str) -> None:
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


HOSTILE = st.text(alphabet="/\\\\@:.?#%25eE2fF[]0x1a \t\n\u3002\uff0e\u00df-_;,&=", max_size=4)


@settings(max_examples=300)
@given(st.sampled_from(ACCEPTABLE), st.integers(0, 60), st.integers(0, 3), HOSTILE)
def test_what_may_be_registered_leads_where_browsers_say_it_leads(
    uri: str, place: int, removed: int, inserted: str
) -> None:
    """Another parser, by the rules of browsers (WHATWG URL), sees no other host than we do."""
    changed = uri[:place] + inserted + uri[place + removed :]
    if not redirects.may_register(changed):
        return
    ours, browsers = urlsplit(changed), Url(changed)
    assert browsers.scheme == ours.scheme
    assert browsers.username is None
    assert browsers.password is None
    assert browsers.fragment is None
    if ours.scheme in {"https", "http"}:
        assert (browsers.host or "").strip("[]") == ours.hostname
        assert browsers.port == (ours.port or {"https": 443, "http": 80}[ours.scheme])
        assert browsers.path == (ours.path or "/")
    else:
        assert (browsers.host or "") == ours.netloc


@given(st.sampled_from(ACCEPTABLE), st.text(min_size=1, max_size=3))
def test_a_suffix_never_matches(uri: str, suffix: str) -> None:
    assert not redirects.matches(uri + suffix, uri)
