"""From which address a request comes: the edge's word if it proves to be the edge.

Never from a header that callers can send by themselves, such as ``X-Forwarded-For``.
"""

import hmac
import ipaddress
from collections.abc import Sequence
from typing import Final

from shared.domain.rate_limits import SHARED_EGRESS, IPAddress, parse_address

ADDRESS_HEADER: Final = "x-viewer-address"
"""A plain address; the edge overwrites what a viewer sends by this name."""
SECRET_HEADER: Final = "x-origin-secret"  # noqa: S105 - the name of a header

PREFIX_BITS: Final = {4: 24, 6: 48}
"""What one provider gives one site or street: a caller's address changes within it."""


class ToldAddresses:
    """Judges what a request says; any of ``origin_secrets`` proves that the edge is speaking."""

    def __init__(self, origin_secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secret.encode() for secret in origin_secrets)

    def judge(
        self, *, told: Sequence[str], secrets: Sequence[str], connection: str | None
    ) -> IPAddress | None:
        """The caller's address, or the connection's own; None if neither is an address.

        ``told`` and ``secrets`` are all values of the two headers.
        """
        if self._is_from_edge(secrets):
            address = parse_address(told[0]) if len(told) == 1 else None
            if address is not None:
                return address
        # For a Function URL this is `requestContext.http.sourceIp`.
        return parse_address(connection) if connection else None

    def _is_from_edge(self, given: Sequence[str]) -> bool:
        if len(given) != 1:
            return False
        presented = given[0].encode("latin-1")
        return any(hmac.compare_digest(presented, secret) for secret in self._secrets)


def own_network(address: IPAddress | None) -> str | None:
    """The /24 or /48 of an address; None for addresses behind which many people are."""
    if address is None:
        return None
    if any(address in network for egress in SHARED_EGRESS for network in egress.networks):
        return None
    bits = PREFIX_BITS[address.version]
    return str(ipaddress.ip_network((int(address), bits), strict=False))
