"""Names under which the site's tools are published."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.site_tools import (
    NAMES_REMEMBERED_MAX,
    PUBLISHED_NAME,
    published_names,
    remembered_names,
)

OURS = frozenset({"search", "fetch", "account_status"})
# Few letters and many characters that become the same one: twins are the rule here.
hostile_names = st.text(alphabet="ab_-. é/\x00", min_size=1, max_size=6) | st.text(
    min_size=1, max_size=300
)


def _chosen(names: Iterable[str], known: dict[str, str] | None = None) -> dict[str, str]:
    return published_names(names, reserved=OURS, known=known or {})


@given(st.lists(hostile_names | st.sampled_from(sorted(OURS))))
def test_every_published_name_is_one_that_all_clients_take_and_belongs_to_one_tool(
    names: list[str],
) -> None:
    chosen = _chosen(names)

    assert set(chosen) == set(names)
    assert len(set(chosen.values())) == len(chosen)
    assert all(PUBLISHED_NAME.fullmatch(name) for name in chosen.values())
    assert OURS.isdisjoint(chosen.values())


@given(st.lists(hostile_names), st.lists(hostile_names))
def test_a_name_keeps_its_meaning_whatever_is_listed_later(
    first: list[str], second: list[str]
) -> None:
    before = _chosen(first)
    after = _chosen([*second, *first], remembered_names(before, {}))
    stored = remembered_names(before, {})
    back = _chosen(first, remembered_names(_chosen(second, stored), stored))

    assert {name: after[name] for name in before} == before
    assert back == before


@given(st.lists(hostile_names))
def test_the_order_in_the_list_does_not_matter(names: list[str]) -> None:
    assert _chosen(names) == _chosen(reversed(names))


def test_readable_names_stay_readable() -> None:
    assert _chosen(["user.me", "dme_mcp-list_guides", "a b"]) == {
        "user.me": "user_me",
        "dme_mcp-list_guides": "dme_mcp-list_guides",
        "a b": "a_b",
    }


def test_a_long_name_is_cut_and_told_apart_by_a_hash() -> None:
    first, second = (_chosen(["x" * 200 + end])["x" * 200 + end] for end in ("1", "2"))

    assert len(first) == len(second) == 64
    assert first[:55] == second[:55] == "x" * 55
    assert first != second


def test_a_name_of_ours_is_never_given_away_even_if_it_was_once() -> None:
    assert _chosen(["search"])["search"].startswith("search_")
    assert _chosen(["a.b"], {"fetch": "a.b"}) == {"a.b": "a_b"}


def test_a_name_without_a_letter_is_a_tool() -> None:
    assert _chosen(["…"])["…"].startswith("tool_")


def test_names_of_tools_that_are_gone_are_remembered_up_to_a_bound() -> None:
    old = {f"old_{number}": f"old.{number}" for number in range(NAMES_REMEMBERED_MAX)}

    names = remembered_names({"new.tool": "new_tool"}, old)

    assert names["new_tool"] == "new.tool"
    assert len(names) == NAMES_REMEMBERED_MAX
