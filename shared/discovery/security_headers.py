"""The security headers of every answer that leaves the house, the same at both web doors.

They are ours, not the edge's: a Function URL that is called directly must be as safe. A door may
replace one where an answer needs it (the pages name their style's hash), never leave one out.
"""

from types import MappingProxyType

NOTHING_LOADED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The policy of an answer that is no page: whoever renders it anyway runs nothing (CSP Level 3)."""
HSTS_SECONDS = 63_072_000
"""Two years, the least that browsers' preload lists recommend; RFC 6797 section 6.1."""

_STRICT_TRANSPORT_SECURITY = f"max-age={HSTS_SECONDS}; includeSubDomains"
_EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": NOTHING_LOADED,
    # For browsers that do not know frame-ancestors.
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # Documents that may be kept say so themselves.
    "cache-control": "no-store",
}

SecurityHeaders = MappingProxyType[str, str]
"""Names in lower case."""


def security_headers(*, https: bool) -> SecurityHeaders:
    """The headers of an answer.

    Args:
        https: whether we are reached by https. Over plain http, which only the local stage
            speaks, HSTS must not be sent (RFC 6797 section 7.2).
    """
    secured = {"strict-transport-security": _STRICT_TRANSPORT_SECURITY} if https else {}
    return MappingProxyType({**_EVERYWHERE, **secured})
