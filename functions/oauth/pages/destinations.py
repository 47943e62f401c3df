"""Where a redirect URI leads, in words for the person.

It never judges: whether the URI is the client's was decided before.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.domain import redirects

_LOOPBACK_WARNING = (
    "This application runs on your own computer, so its name cannot be checked. Continue only if "
    "you started connecting it yourself, just now."
)
_PRIVATE_SCHEME_WARNING = (
    "This opens an application on your device, and its name cannot be checked. Continue only if "
    "you started connecting it yourself, just now."
)
_CLAIMED_NAME_WARNING = (
    "This application calls itself {name}, but this is no address of {name}. Continue only if you "
    "know who runs it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One redirect URI for the consent page."""

    name: str
    explanation: str
    warning: str | None


def destination_of(redirect_uri: str, *, claimed_name: str | None = None) -> Destination:
    """Describe ``redirect_uri``; ``claimed_name`` is a known client's that returns elsewhere."""
    parts = urlsplit(redirect_uri)
    if redirects.is_loopback(redirect_uri):
        return Destination(
            name=parts.netloc,
            explanation="an application on this computer",
            warning=_LOOPBACK_WARNING,
        )
    if redirects.is_private_scheme(redirect_uri):
        return Destination(
            name=f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:",
            explanation="an application on this device",
            warning=_PRIVATE_SCHEME_WARNING,
        )
    return Destination(
        name=parts.netloc,
        explanation="a website, over https",
        warning=_CLAIMED_NAME_WARNING.format(name=claimed_name) if claimed_name else None,
    )


def may_skip_consent(redirect_uri: str) -> bool:
    """Whether an earlier approval can stand for this one.

    Any program on the machine can listen on loopback or claim a private scheme, under any
    client's id: there the person is always asked (RFC 8252 section 8.6).
    """
    return not (redirects.is_loopback(redirect_uri) or redirects.is_private_scheme(redirect_uri))
