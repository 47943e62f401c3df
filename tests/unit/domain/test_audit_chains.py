"""What is hashed of an audit event, and its way through a file and back."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.domain.audit_chains import ChainedEvent, as_line, computed_hash, from_line

EVENT = ChainedEvent(
    hash_version=1,
    chain=3,
    sequence=7,
    previous_hash=bytes(32),
    hash=bytes(32),
    event_id=UUID(int=1),
    occurred_at=datetime(2026, 11, 25, 10, 0, 0, 5, tzinfo=UTC),
    action="grant:ended",
    user_id=UUID(int=2),
    grant_id=None,
    session_id=None,
    client_id="https://client.example/ü",
    details='{"cause": "expired"}',
)
TEXT = some.text(some.characters(codec="utf-8"), max_size=20)


def test_the_hash_of_an_event_is_for_ever_the_same() -> None:
    hashed = computed_hash(EVENT).hex()

    assert hashed == "5da0cb69e507f220c71b824ac2a87c36bbf87e1a6f73502039cb8bc18898194e"


@given(client_id=some.none() | TEXT, action=TEXT, details=TEXT, sequence=some.integers(1, 2**62))
@settings(max_examples=50, deadline=None)
def test_an_event_comes_back_from_its_line(
    client_id: str | None, action: str, details: str, sequence: int
) -> None:
    event = replace(EVENT, client_id=client_id, action=action, details=details, sequence=sequence)

    assert from_line(as_line(event)) == event
    assert "\n" not in as_line(event)


@given(one=TEXT, two=TEXT)
@settings(max_examples=50, deadline=None)
def test_no_two_contents_are_hashed_as_the_same_text(one: str, two: str) -> None:
    moved = replace(EVENT, client_id=one + two, details="")
    apart = replace(EVENT, client_id=one, details=two)

    assert (computed_hash(moved) == computed_hash(apart)) == (moved == apart)
    assert computed_hash(replace(EVENT, client_id=None)) != computed_hash(
        replace(EVENT, client_id="")
    )


@pytest.mark.parametrize("line", ["{}", "[]", "no json", '{"chain": 1}'])
def test_a_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"not an audit event|Expecting value"):
        from_line(line)
