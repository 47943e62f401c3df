"""Which redirect URIs a client may register and use (RFC 8252 sections 7 and 8, OAuth 2.1 8.4)."""

import re
from urllib.parse import SplitResult, urlsplit

URI_LENGTH_MAX = 2_000
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "[::1]", "localhost"})

_LOOPBACK_URI = re.compile(
    r"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost)(?::(?P<port>[0-9]{1,5}))?(?P<rest>/.*)?"
)
# The host becomes part of a page's policy, whose lists end at other characters.
_HTTPS_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_PRINTABLE = re.compile(r"[!-~]+")
_FORBIDDEN_SCHEMES = frozenset({"javascript", "data", "file", "blob", "vbscript", "about", "http"})


def is_loopback(uri: str) -> bool:
    """Whether ``uri`` leads to the person's own machine over plain http."""
    return _LOOPBACK_URI.fullmatch(uri) is not None


def is_private_scheme(uri: str) -> bool:
    """Whether ``uri`` leads to an application by a scheme of its own (RFC 8252 section 7.1)."""
    return not uri.startswith(("https://", "http://"))


def may_register(uri: str) -> bool:
    """Whether a client may register ``uri``.

    Allowed: https; http on loopback; private-use schemes that name their owner by a dot in the
    scheme or an authority. Never a fragment, user information, dot segments or non-ASCII text.
    """
    if len(uri) > URI_LENGTH_MAX or _PRINTABLE.fullmatch(uri) is None or "#" in uri:
        return False
    if any(character in uri for character in '\\"<>^`{|}*'):
        return False
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    if port == 0 or "@" in parts.netloc or has_dot_segments(parts.path):
        return False
    return _scheme_allows(uri, parts)


def _scheme_allows(uri: str, parts: SplitResult) -> bool:
    scheme = uri.split(":", 1)[0]
    if scheme == "https":
        return _HTTPS_HOST.fullmatch(parts.netloc) is not None
    if scheme == "http":
        return is_loopback(uri)
    if scheme in _FORBIDDEN_SCHEMES or _SCHEME.fullmatch(scheme) is None:
        return False
    return "." in scheme or bool(parts.netloc)


def has_dot_segments(path: str) -> bool:
    """Whether ``path`` climbs or stands still, by plain or percent-encoded dots."""
    segments = path.lower().replace("%2e", ".").replace("%2f", "/").split("/")
    return any(segment in {".", ".."} for segment in segments)


def without_loopback_port(uri: str) -> str:
    """``uri``, without its port if it leads to loopback: no port there says who listens."""
    found = _LOOPBACK_URI.fullmatch(uri)
    return uri if found is None else f"http://{found['host']}{found['rest'] or ''}"


def matches(requested: str, registered: str) -> bool:
    """Whether ``requested`` is ``registered``, as strings; a loopback port alone may differ.

    The host must be the same spelling: ``localhost`` and ``127.0.0.1`` never stand for each other.
    """
    if requested == registered:
        return True
    asked, known = _LOOPBACK_URI.fullmatch(requested), _LOOPBACK_URI.fullmatch(registered)
    if asked is None or known is None:
        return False
    port = asked["port"]
    if port is not None and not 0 < int(port) <= 65_535:
        return False
    return asked["host"] == known["host"] and (asked["rest"] or "") == (known["rest"] or "")


def is_registered(requested: str, registered: tuple[str, ...]) -> bool:
    """Whether ``requested`` matches one of the client's redirect URIs."""
    if len(requested) > URI_LENGTH_MAX or _PRINTABLE.fullmatch(requested) is None:
        return False
    return any(matches(requested, uri) for uri in registered)
