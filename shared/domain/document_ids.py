"""Client ids that are the address of a document (draft-ietf-oauth-client-id-metadata-document).

The rules of section 3, which need no network. Whether the host may be talked to is decided later,
by the addresses that its name resolves to.
"""

import re
from dataclasses import dataclass
from typing import Final

from shared.domain import redirects
from shared.domain.host_names import is_public_name

DOCUMENT_ID_LENGTH_MAX: Final = 512
HTTPS_PORT: Final = 443
_HTTP_PORT: Final = 80

_PUBLIC: Final = re.compile(r"https://(?P<host>[A-Za-z0-9._-]+)(?::443)?/[!-~]+")
_LOCAL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>127\.0\.0\.1|\[::1\]|localhost)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?/(?P<rest>[!-~]+)"
)
_FORBIDDEN: Final = frozenset('#\\"<>^`{|}')


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentId:
    """A client id that is the address of a document, and the parts that a connection needs."""

    text: str
    """The very string that the client sent; the document has to repeat it."""
    host: str
    """In lower case, without port; an IPv6 address without brackets."""
    port: int


def looks_like_document_id(client_id: str) -> bool:
    """Whether ``client_id`` is meant as an address: no id that is issued here looks like one."""
    return client_id.lower().startswith(("https:", "http:"))


def parse_document_id(client_id: str, *, local: bool) -> DocumentId | None:
    """The parts of ``client_id``, or None where it may not be used.

    Allowed: https on port 443 of a public name, with a path. Never user information, a fragment,
    dot segments, an IP address, or more than ``DOCUMENT_ID_LENGTH_MAX`` characters. ``local``
    allows loopback as well, on any port and without TLS: the local stage only.
    """
    if len(client_id) > DOCUMENT_ID_LENGTH_MAX or not _FORBIDDEN.isdisjoint(client_id):
        return None
    if redirects.has_dot_segments(client_id.partition("?")[0]):
        return None
    return _public(client_id) or (_loopback(client_id) if local else None)


def _public(client_id: str) -> DocumentId | None:
    found = _PUBLIC.fullmatch(client_id)
    if found is None or not is_public_name(found["host"].lower()):
        return None
    return DocumentId(text=client_id, host=found["host"].lower(), port=HTTPS_PORT)


def _loopback(client_id: str) -> DocumentId | None:
    found = _LOCAL.fullmatch(client_id)
    if found is None:
        return None
    usual = HTTPS_PORT if found["scheme"] == "https" else _HTTP_PORT
    port = int(found["port"] or usual)
    if port > 65_535:
        return None
    return DocumentId(text=client_id, host=found["host"].strip("[]"), port=port)
