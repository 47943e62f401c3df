"""Resource indicators (RFC 8707): what clients send for our one resource, and what we bind to."""

from urllib.parse import urlsplit


def accepts(requested: str, canonical: str) -> bool:
    """Whether ``requested`` means ``canonical``.

    Clients in the field send the URL as typed, with a trailing slash, or only its origin with or
    without a slash; a token is bound to the canonical form whichever they sent.
    """
    parts = urlsplit(canonical)
    origin = f"{parts.scheme}://{parts.netloc}"
    return requested in {canonical, f"{canonical}/", origin, f"{origin}/"}
