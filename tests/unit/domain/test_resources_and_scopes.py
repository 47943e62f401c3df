"""What clients send as resource and scope."""

import pytest

from shared.domain import resources
from shared.domain.scopes import (
    SCOPE_TEXTS,
    SCOPES_OFFERED,
    Scope,
    granted_scopes,
    offered_scopes,
)

CANONICAL = "https://mcp.example/mcp"


@pytest.mark.parametrize(
    "requested",
    [CANONICAL, f"{CANONICAL}/", "https://mcp.example", "https://mcp.example/"],
)
def test_every_spelling_of_our_resource_in_the_field_is_accepted(requested: str) -> None:
    assert resources.accepts(requested, CANONICAL)


@pytest.mark.parametrize(
    "requested",
    [
        "",
        "https://evil.example/mcp",
        "http://mcp.example/mcp",
        "https://mcp.example/other",
        "https://mcp.example/mcp//",
        "https://mcp.example/mcp?x=1",
        "https://mcp.example:8443/mcp",
        "https://mcp.example.evil.example/mcp",
    ],
)
def test_any_other_resource_is_foreign(requested: str) -> None:
    assert not resources.accepts(requested, CANONICAL)


def test_unknown_scopes_are_dropped() -> None:
    assert granted_scopes(["openid", Scope.READ, "offline_access"]) == (Scope.READ,)


def test_nothing_known_asked_means_everything_offered() -> None:
    assert granted_scopes([]) == SCOPES_OFFERED
    assert granted_scopes(["openid", "email", "profile"]) == SCOPES_OFFERED


def test_nobody_is_asked_to_allow_tools_that_the_site_does_not_have() -> None:
    offered = offered_scopes(site_tools=False)

    assert offered == (Scope.SEARCH, Scope.READ)
    assert granted_scopes([], offered) == offered
    assert granted_scopes([Scope.SITE_TOOLS, Scope.READ], offered) == (Scope.READ,)
    assert offered_scopes(site_tools=True) == SCOPES_OFFERED


def test_every_scope_has_words_for_the_consent_page() -> None:
    assert set(SCOPE_TEXTS) == set(Scope)
