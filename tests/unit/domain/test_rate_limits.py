"""Whose requests count together, and which addresses get more."""

import pytest

from shared.domain.rate_limits import (
    RATE_LIMITS,
    LimitName,
    RateLimit,
    limit_at,
    network_of,
    parse_address,
)

ORDINARY = RATE_LIMITS[LimitName.REFUSED_BY_ADDRESS]


def limit_of(text: str) -> RateLimit:
    return limit_at(LimitName.REFUSED_BY_ADDRESS, parse_address(text))


def test_every_rule_has_numbers() -> None:
    assert set(RATE_LIMITS) == set(LimitName)
    for limit in RATE_LIMITS.values():
        assert limit.burst >= 1
        assert 0 < limit.full_after_seconds <= 3_600


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("no address", "unknown"),
        ("198.51.100.7, 203.0.113.9", "unknown"),
        ("", "unknown"),
    ],
)
def test_requests_count_together_by_address_and_in_ipv6_by_network(text: str, network: str) -> None:
    assert network_of(parse_address(text)) == network


@pytest.mark.parametrize("text", ["160.79.104.0", "160.79.111.255", "::ffff:160.79.106.1"])
def test_published_egress_of_a_vendor_gets_twenty_times_as_much(text: str) -> None:
    larger = limit_of(text)

    assert larger.burst == 20 * ORDINARY.burst
    assert larger.seconds_each == ORDINARY.seconds_each / 20
    assert larger.full_after_seconds == ORDINARY.full_after_seconds


@pytest.mark.parametrize("text", ["160.79.103.255", "160.79.112.0", "2001:db8::1", "nobody"])
def test_everybody_else_gets_the_ordinary_limits(text: str) -> None:
    assert limit_of(text) == ORDINARY
