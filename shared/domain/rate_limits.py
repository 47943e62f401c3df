"""How often what may be asked of either door, and whose requests count together.

The rules as data. A live code or token is counted by its own session or person and by nothing
else: all users of a hosted client come from its addresses and share its id.
"""

import ipaddress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

IPV6_PREFIX_BITS: Final = 64
"""One customer's share of IPv6: whoever has one address of it has them all."""
UNKNOWN_ADDRESS: Final = "unknown"

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class LimitName(StrEnum):
    """Every rule; the value goes into the key of its entries and into the metric."""

    AUTHORIZE_BY_ADDRESS = "authorize_by_address"
    REGISTER_BY_ADDRESS = "register_by_address"
    ACCOUNT_SIGN_IN_BY_ADDRESS = "account_sign_in_by_address"
    REFUSED_BY_ADDRESS = "refused_by_address"
    REFUSED_BY_CLIENT = "refused_by_client"
    CODES_BY_PERSON = "codes_by_person"
    REFRESHES_BY_SESSION = "refreshes_by_session"
    SEARCHES_BY_PERSON = "searches_by_person"
    READINGS_BY_PERSON = "readings_by_person"
    SITE_TOOLS_BY_PERSON = "site_tools_by_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most ``burst`` at once, and one more every ``seconds_each``."""

    name: LimitName
    burst: int
    seconds_each: float
    counts: str
    """What is counted, in words, for the document."""

    @property
    def full_after_seconds(self) -> float:
        """How long an allowance that was used up takes to be whole again."""
        return self.burst * self.seconds_each

    def enlarged(self, factor: int) -> "RateLimit":
        """The same rule for ``factor`` times as many requests."""
        return replace(self, burst=self.burst * factor, seconds_each=self.seconds_each / factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedEgress:
    """Addresses behind which many people are, so that they get ``factor`` times as much."""

    name: str
    networks: tuple[IPNetwork, ...]
    factor: int
    source: str


RATE_LIMITS: Final[dict[LimitName, RateLimit]] = {
    limit.name: limit
    for limit in (
        RateLimit(
            name=LimitName.AUTHORIZE_BY_ADDRESS,
            burst=60,
            seconds_each=2,
            counts="sign-ins begun at `GET /authorize`",
        ),
        RateLimit(
            name=LimitName.REGISTER_BY_ADDRESS,
            burst=30,
            seconds_each=60,
            counts="registrations at `POST /register`",
        ),
        RateLimit(
            name=LimitName.ACCOUNT_SIGN_IN_BY_ADDRESS,
            burst=30,
            seconds_each=10,
            counts="sign-ins begun at `POST /account`",
        ),
        RateLimit(
            name=LimitName.REFUSED_BY_ADDRESS,
            burst=30,
            seconds_each=6,
            counts="requests at any endpoint that were answered with 4xx",
        ),
        RateLimit(
            name=LimitName.REFUSED_BY_CLIENT,
            burst=300,
            seconds_each=0.2,
            counts="the same, where a `client_id` was given",
        ),
        RateLimit(
            name=LimitName.CODES_BY_PERSON,
            burst=60,
            seconds_each=10,
            counts="live codes redeemed at `/token`",
        ),
        RateLimit(
            name=LimitName.REFRESHES_BY_SESSION,
            burst=60,
            seconds_each=1,
            counts="live refresh tokens used at `/token`",
        ),
        # An agent asks in bursts and reads what it found; a loop gone wild does not stop.
        RateLimit(
            name=LimitName.SEARCHES_BY_PERSON,
            burst=20,
            seconds_each=1,
            counts="calls of the tools that search",
        ),
        RateLimit(
            name=LimitName.READINGS_BY_PERSON,
            burst=30,
            seconds_each=0.5,
            counts="calls of the tools that read a tutorial, and readings of resources",
        ),
        RateLimit(
            name=LimitName.SITE_TOOLS_BY_PERSON,
            burst=20,
            seconds_each=1,
            counts="calls of the site's own tools",
        ),
    )
}

SHARED_EGRESS: Final[tuple[SharedEgress, ...]] = (
    SharedEgress(
        name="Anthropic (Claude on the web, desktop and mobile)",
        networks=(ipaddress.ip_network("160.79.104.0/21"),),
        factor=20,
        source="https://platform.claude.com/docs/en/api/ip-addresses",
    ),
    SharedEgress(
        name="this machine (the local stack, tests, a proxy in the same container)",
        networks=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
        factor=100,
        source="RFC 6890; no Function URL is ever called from here",
    ),
)


def parse_address(text: str) -> IPAddress | None:
    """The address that ``text`` is, IPv4 in IPv6 clothes as IPv4; None if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(address: IPAddress | None) -> str:
    """Whose requests count together: an IPv4 address, or the /64 of an IPv6 address."""
    if address is None:
        return UNKNOWN_ADDRESS
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), IPV6_PREFIX_BITS), strict=False))


def limit_at(name: LimitName, address: IPAddress | None) -> RateLimit:
    """The rule as it holds for ``address``."""
    limit = RATE_LIMITS[name]
    for egress in SHARED_EGRESS:
        if address is not None and any(address in network for network in egress.networks):
            return limit.enlarged(egress.factor)
    return limit
