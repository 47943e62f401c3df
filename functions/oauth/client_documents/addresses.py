"""Which IP addresses may be talked to on behalf of a stranger: public unicast, nothing else.

Never trusts ``ipaddress.is_global`` alone: it calls multicast, NAT64 and IPv4-compatible addresses
global. On Lambda, loopback holds the Runtime API with other people's requests, and link-local
addresses the credentials of a machine.
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

# IANA IPv4 Special-Purpose Address Registry (RFC 6890), multicast and the reserved rest.
_FORBIDDEN_IPV4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# All that is public unicast (RFC 4291 section 2.4). Outside of it lie loopback, link-local and
# unique local addresses, multicast, and IPv4 in the clothes of ::ffff:0:0/96, ::/96,
# 64:ff9b::/96 and 64:ff9b:1::/48.
_PUBLIC_IPV6: Final = IPv6Network("2000::/3")
# Inside of it: protocol assignments with Teredo (2001::/32, which holds two IPv4 addresses),
# documentation, and 6to4. What is embedded is never looked at: none of these is wanted.
_FORBIDDEN_IPV6: Final = tuple(
    IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# ISATAP (RFC 5214 section 6.1): an IPv4 address behind 0:5efe, under any prefix.
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})


def may_connect(text: str, *, loopback_allowed: bool = False) -> bool:
    """Whether ``text`` is an address that may be connected to.

    ``loopback_allowed`` adds 127.0.0.0/8 and ::1 in their plain spelling: the local stage only.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if loopback_allowed and address.is_loopback and "%" not in text:
        return isinstance(address, IPv4Address) or address == IPv6Address("::1")
    if isinstance(address, IPv4Address):
        return _is_public_ipv4(address)
    return address.scope_id is None and _is_public_ipv6(address)


def _is_public_ipv4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _FORBIDDEN_IPV4)


def _is_public_ipv6(address: IPv6Address) -> bool:
    if address not in _PUBLIC_IPV6 or not address.is_global:
        return False
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _FORBIDDEN_IPV6)
