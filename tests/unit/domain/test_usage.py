"""A noted query is of use to editors, and tells nothing of anybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.content import SearchHit, SearchPage
from shared.domain.usage import (
    FOUND_IDS_MAX,
    QUERY_CHARACTERS_MAX,
    normalised_query,
    searched,
)


@pytest.mark.parametrize(
    ("typed", "noted"),
    [
        ("  Views\tAND   Blocks ", "views and blocks"),
        ("Drupal 10.3.2 upgrade", "drupal 10.3.2 upgrade"),
        ("node 12345 preprocess_node", "node 12345 preprocess_node"),
        ("\uff36iews", "views"),
        ("mail Maya.Miller+x@example.co.uk now", "mail [email] now"),
        ("call +49 (171) 555-1234", "call [number]"),
        ("order 4111 1111 1111 1111", "order [number]"),
        ("from 192.168.100.200", "from [number]"),
        ("see https://example.com/?user=maya here", "see [address] here"),
        ("why is dmcp_at_x refused", "why is [token] refused"),
        ("key 0f3a9c1b2d4e5f60718293a4", "key [token]"),
        ("x" * 61, "[token]"),
        ("tab\x00null\u202ebidi", "tab null bidi"),
        ("\x07", None),
    ],
)
def test_a_query_is_noted_in_one_spelling_without_what_is_personal(
    typed: str, noted: str | None
) -> None:
    assert normalised_query(typed) == noted


def test_a_long_question_is_cut_at_a_word() -> None:
    noted = normalised_query("how do I write a plugin " * 20)

    assert noted is not None
    assert len(noted) <= QUERY_CHARACTERS_MAX
    assert noted.split()[-1] in {"how", "do", "i", "write", "a", "plugin"}


@given(st.text(max_size=300))
def test_whatever_is_typed_what_is_noted_is_short_and_printable(typed: str) -> None:
    noted = normalised_query(typed)

    assert noted is None or (0 < len(noted) <= QUERY_CHARACTERS_MAX and noted.isprintable())


@given(st.from_regex(r"[a-z0-9.]{1,12}@[a-z0-9]{1,12}\.[a-z]{2,4}", fullmatch=True))
def test_no_address_of_a_person_is_noted(address: str) -> None:
    assert normalised_query(f"about {address} please") == "about [email] please"


@given(st.text(alphabet="0123456789", min_size=6, max_size=30))
def test_no_long_number_is_noted(digits: str) -> None:
    noted = normalised_query(f"card {digits}")

    assert noted == "card [number]"


def test_what_was_found_is_noted_in_the_order_of_the_site() -> None:
    hits = tuple(
        SearchHit(content_id=str(number), title="t", url="u") for number in range(FOUND_IDS_MAX + 5)
    )

    found = searched("Views", SearchPage(hits=hits, total=90, offset=20))

    assert (found.query, found.offset) == ("views", 20)
    assert found.content_ids == tuple(str(number) for number in range(FOUND_IDS_MAX))
