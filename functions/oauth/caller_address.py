"""The address from which a request comes: the edge's word if it proves to be the edge.

Never from a header that callers can send by themselves, such as ``X-Forwarded-For``.
"""

import hmac
from collections.abc import Sequence

from starlette.requests import Request

from shared.domain.rate_limits import IPAddress, parse_address

ADDRESS_HEADER = "x-viewer-address"
"""A plain address; the edge overwrites what a viewer sends by this name."""
SECRET_HEADER = "x-origin-secret"  # noqa: S105 - the name of a header


class CallerAddresses:
    """Tells callers' addresses; any of ``origin_secrets`` proves that the edge is speaking."""

    def __init__(self, origin_secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secret.encode() for secret in origin_secrets)

    def of(self, request: Request) -> IPAddress | None:
        """The caller's address, or the connection's own; None if neither is an address."""
        if self._is_from_edge(request):
            said = request.headers.getlist(ADDRESS_HEADER)
            address = parse_address(said[0]) if len(said) == 1 else None
            if address is not None:
                return address
        # For a Function URL this is `requestContext.http.sourceIp`.
        return parse_address(request.client.host or "") if request.client else None

    def _is_from_edge(self, request: Request) -> bool:
        given = request.headers.getlist(SECRET_HEADER)
        if len(given) != 1:
            return False
        presented = given[0].encode("latin-1")
        return any(hmac.compare_digest(presented, secret) for secret in self._secrets)
