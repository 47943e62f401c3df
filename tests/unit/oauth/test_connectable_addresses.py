"""Which IP addresses may be talked to on behalf of a stranger."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.oauth.client_documents.addresses import may_connect

FORBIDDEN = {
    "loopback": ["127.0.0.1", "127.1.2.3", "::1"],
    "no address but a spelling of one": ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", ""],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104 - refused, not bound
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    "carrier": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%lo"],
    "site-local and unique local": ["fec0::1", "fc00::1", "fd00:ec2::254"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.1", "198.18.0.1", "192.88.99.1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"],
    "IPv4-translated": ["::ffff:0:127.0.0.1"],
    "IPv4-compatible": ["::127.0.0.1", "::169.254.169.254"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1"],
    "Teredo": ["2001:0:7f00:1::", "2001::f7f7:f7f7", "2001:0:808:808:0:0:5601:5601"],
    "ISATAP": ["2a00:1450::5efe:7f00:1", "2a00:1450::200:5efe:a9fe:a9fe"],
    "not handed out": ["100::1", "4000::1", "5f00::1", "::8.8.8.8", "1::1"],
}
EMBEDDINGS = (
    "::ffff:{}",
    "::{}",
    "::ffff:0:{}",
    "64:ff9b::{}",
    "64:ff9b:1::{}",
)


@pytest.mark.parametrize("text", [text for texts in FORBIDDEN.values() for text in texts])
def test_only_public_unicast_addresses_may_be_connected_to(text: str) -> None:
    assert not may_connect(text)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "93.184.215.14", "160.79.104.10", "2606:4700::6810:1", "2a00:1450::1"]
)
def test_public_unicast_addresses_may(text: str) -> None:
    assert may_connect(text)


@settings(max_examples=100)
@given(address=st.ip_addresses(v=4))
def test_no_address_may_be_reached_in_the_clothes_of_ipv6(address: ipaddress.IPv4Address) -> None:
    packed = int(address)
    high, low = packed >> 16, packed & 0xFFFF
    tunnels = (f"2002:{high:x}:{low:x}::1", f"2001:0:{high:x}:{low:x}::{low:x}")

    for text in (*(form.format(address) for form in EMBEDDINGS), *tunnels):
        assert not may_connect(text)
        is_loopback = ipaddress.ip_address(text) == ipaddress.IPv6Address("::1")
        assert not may_connect(text, loopback_allowed=True) or is_loopback


@settings(max_examples=200)
@given(address=st.ip_addresses())
def test_nothing_that_python_calls_special_may_be_connected_to(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    special = (
        address.is_private
        or address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
    )

    assert not (special and may_connect(str(address)))


def test_the_local_stage_adds_loopback_and_nothing_else() -> None:
    assert may_connect("127.0.0.1", loopback_allowed=True)
    assert may_connect("::1", loopback_allowed=True)
    for text in ("::ffff:127.0.0.1", "::127.0.0.1", "10.0.0.1", "169.254.169.254", "0.1.2.3"):
        assert not may_connect(text, loopback_allowed=True)
