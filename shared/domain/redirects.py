"""Which redirect URIs a client may register and use (RFC 8252 sections 7 and 8, OAuth 2.1 8.4)."""

import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from shared.domain.host_names import is_public_name

URI_LENGTH_MAX = 2_000
PORT_MAX: Final = 65_535

_PORT: Final = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_LOOPBACK_URI = re.compile(rf"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost){_PORT}(?P<rest>/.*)?")
_HTTPS_AUTHORITY = re.compile(rf"(?P<host>[a-z0-9._-]+){_PORT}")
# Of an application's own scheme; it is shown to the person.
_APPLICATION_AUTHORITY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_PRINTABLE = re.compile(r"[!-~]+")
_FORBIDDEN_CHARACTERS: Final = frozenset('\\"<>^`{|}*#')
_BROKEN_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_CONTROL: Final = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
# In a path: a slash, a backslash or a percent sign in disguise, which some reader takes off.
_DISGUISED: Final = re.compile(r"%(?:2[Ff]|5[Cc]|25)")
# Schemes of protocols, browsers and systems: none of them is an application's own.
_FORBIDDEN_SCHEMES: Final = frozenset(
    {
        *("about", "blob", "chrome", "data", "feed", "file", "filesystem", "intent", "jar"),
        *("javascript", "resource", "vbscript", "view-source"),
        *("ftp", "gopher", "http", "ldap", "ldaps", "mailto", "nfs", "sftp", "sms", "smb", "ssh"),
        *("tel", "telnet", "urn", "ws", "wss"),
    }
)
# What we add to the address ourselves (RFC 6749 section 4.1.2, RFC 9207): a second one of a name
# would let the client read a value that did not come from us.
_OWN_PARAMETERS: Final = frozenset({"code", "state", "iss", "error", "error_description"})


def is_loopback(uri: str) -> bool:
    """Whether ``uri`` leads to the person's own machine over plain http."""
    return _LOOPBACK_URI.fullmatch(uri) is not None


def is_private_scheme(uri: str) -> bool:
    """Whether ``uri`` leads to an application by a scheme of its own (RFC 8252 section 7.1)."""
    return not uri.startswith(("https://", "http://"))


def may_register(uri: str) -> bool:
    """Whether a client may register ``uri``.

    Allowed: https at a public name; http on loopback; private-use schemes that name their owner by
    a dot in the scheme or an authority. Never an IP address as a web host, a fragment, user
    information, dot segments, anything in disguise by percent signs, or non-ASCII text.
    """
    if len(uri) > URI_LENGTH_MAX or _PRINTABLE.fullmatch(uri) is None:
        return False
    if not _FORBIDDEN_CHARACTERS.isdisjoint(uri):
        return False
    if _BROKEN_PERCENT.search(uri) or _ENCODED_CONTROL.search(uri):
        return False
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    if port == 0 or not _is_plain(parts):
        return False
    return _scheme_allows(uri, parts)


def _is_plain(parts: SplitResult) -> bool:
    """Whether path and query mean the same to every reader, and leave our parameters to us."""
    if has_dot_segments(parts.path) or _DISGUISED.search(parts.path):
        return False
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return names.isdisjoint(_OWN_PARAMETERS)


def _scheme_allows(uri: str, parts: SplitResult) -> bool:
    scheme, colon, _ = uri.partition(":")
    if not colon:
        return False  # an address relative to ours
    if scheme == "https":
        found = _HTTPS_AUTHORITY.fullmatch(parts.netloc)
        return found is not None and is_public_name(found["host"])
    if scheme == "http":
        return is_loopback(uri)
    if scheme in _FORBIDDEN_SCHEMES or _SCHEME.fullmatch(scheme) is None:
        return False
    if not parts.netloc:
        return "." in scheme
    return _APPLICATION_AUTHORITY.fullmatch(parts.netloc) is not None


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
    if int(asked["port"] or 1) > PORT_MAX:
        return False
    return asked["host"] == known["host"] and (asked["rest"] or "") == (known["rest"] or "")


def is_registered(requested: str, registered: tuple[str, ...]) -> bool:
    """Whether ``requested`` matches one of the client's redirect URIs."""
    if len(requested) > URI_LENGTH_MAX or _PRINTABLE.fullmatch(requested) is None:
        return False
    return any(matches(requested, uri) for uri in registered)
