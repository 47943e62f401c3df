"""Whatever somebody does to the rows of the trail, the check names the place."""

from typing import Any, LiteralString

import psycopg
import pytest

from scripts.audit_trail.log_lines import LoggedPlace
from scripts.audit_trail.verification import ChainEnds
from shared.domain.audit_chains import ChainPlace
from tests.integration.audit_trail.trail import CHAIN, append, found

EVENTS = 9

HASHED_ANEW: LiteralString = """
    UPDATE app.audit_events e SET hash = app.audit_hash(e) WHERE chain = 3 AND sequence = 5
"""
RENUMBERED_AFTER_5: LiteralString = """
    UPDATE app.audit_events SET sequence = sequence + 100 WHERE chain = 3 AND sequence > 5;
    UPDATE app.audit_events SET sequence = sequence - 100 {shift} WHERE chain = 3 AND sequence > 100
"""
COPY_OF_5: LiteralString = """
    INSERT INTO app.audit_events
    SELECT chain, {place}, {previous}, hash, hash_version, gen_random_uuid(), occurred_at,
           'person:erased', user_id, grant_id, session_id, client_id, details
      FROM app.audit_events WHERE chain = 3 AND sequence = 5
"""
HEAD_MOVED: LiteralString = """
    UPDATE app.audit_chains c SET sequence = e.sequence, hash = e.hash
      FROM (SELECT * FROM app.audit_events WHERE chain = 3 ORDER BY sequence DESC LIMIT 1) e
     WHERE c.chain = 3
"""
SWAPPED_CONTENT: LiteralString = """
    UPDATE app.audit_events e
       SET event_id = o.event_id, details = o.details, user_id = o.user_id{time}
      FROM app.audit_events o
     WHERE e.chain = 3 AND o.chain = 3
       AND (e.sequence, o.sequence) IN ((2, 6), (6, 2))
"""
SWAPPED_PLACES: LiteralString = """
    UPDATE app.audit_events SET sequence = -4 WHERE chain = 3 AND sequence = 4;
    UPDATE app.audit_events SET sequence = 4 WHERE chain = 3 AND sequence = 5;
    UPDATE app.audit_events SET sequence = 5 WHERE chain = 3 AND sequence = -4
"""


@pytest.fixture(autouse=True)
def a_trail(database_admin: psycopg.Connection[Any]) -> None:
    """Nine events in chain 3, and some beside it."""
    append(database_admin, EVENTS)
    append(database_admin, 2, chain=7)


@pytest.mark.parametrize(
    "change",
    [
        "action = 'grant:created'",
        "user_id = gen_random_uuid()",
        "user_id = NULL",
        "grant_id = gen_random_uuid()",
        "session_id = gen_random_uuid()",
        "client_id = 'another'",
        "details = details || '{\"number\": 99}'",
        "occurred_at = occurred_at + interval '1 microsecond'",
        "event_id = gen_random_uuid()",
        "hash = sha256('another')",
        "previous_hash = sha256('another')",
        "hash_version = 2",
    ],
)
def test_a_changed_event_is_named(
    database_url: str, database_admin: psycopg.Connection[Any], change: LiteralString
) -> None:
    assert found(database_url) == []

    database_admin.execute(
        "UPDATE app.audit_events SET "  # noqa: S608 - literals of this file
        + change
        + " WHERE chain = 3 AND sequence = 5"
    )

    assert found(database_url) == [("tampered", CHAIN, 5, 5)]


def test_a_changed_event_whose_hash_was_computed_anew_is_named(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    database_admin.execute(
        "UPDATE app.audit_events SET action = 'grant:created' WHERE chain = 3 AND sequence = 5"
    )
    database_admin.execute(HASHED_ANEW)

    assert found(database_url) == [("tampered", CHAIN, 5, 5)]


@pytest.mark.parametrize(
    ("gone", "named"),
    [("= 5", (5, 5)), ("BETWEEN 3 AND 6", (3, 6)), ("= 1", (1, 1)), ("> 7", (8, 9))],
    ids=["one", "some", "the first", "the newest"],
)
def test_deleted_events_are_named(
    database_url: str,
    database_admin: psycopg.Connection[Any],
    gone: LiteralString,
    named: tuple[int, int],
) -> None:
    database_admin.execute(
        "DELETE FROM app.audit_events"  # noqa: S608 - literals of this file
        " WHERE chain = 3 AND sequence " + gone
    )

    assert found(database_url) == [("deleted", CHAIN, *named)]


def test_a_chain_that_is_gone_is_named(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    database_admin.execute("DELETE FROM app.audit_events WHERE chain = 7")

    assert found(database_url) == [("deleted", 7, 1, 2)]


def test_a_deleted_event_is_named_though_the_gap_was_closed(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    database_admin.execute("DELETE FROM app.audit_events WHERE chain = 3 AND sequence = 5")
    database_admin.execute(RENUMBERED_AFTER_5.replace("{shift}", "- 1"))
    database_admin.execute(HEAD_MOVED)

    assert found(database_url) == [("deleted", CHAIN, 5, 5)]


@pytest.mark.parametrize(
    ("swapped", "named"),
    [
        (SWAPPED_PLACES, (4, 5)),
        (SWAPPED_CONTENT.replace("{time}", ", occurred_at = o.occurred_at"), (2, 6)),
        (SWAPPED_CONTENT.replace("{time}", ""), (2, 6)),
    ],
    ids=["places", "contents", "contents but for the times"],
)
def test_reordered_events_are_named(
    database_url: str,
    database_admin: psycopg.Connection[Any],
    swapped: LiteralString,
    named: tuple[int, int],
) -> None:
    database_admin.execute(swapped)

    assert found(database_url) == [("reordered", CHAIN, one, one) for one in named]


@pytest.mark.parametrize(
    ("place", "previous"),
    [("5", "previous_hash"), ("6", "hash"), ("10", "sha256('another')")],
    ids=["over another", "over the next", "at the end"],
)
def test_an_inserted_event_is_named(
    database_url: str,
    database_admin: psycopg.Connection[Any],
    place: LiteralString,
    previous: LiteralString,
) -> None:
    # With another time, or the primary key would refuse it.
    copied = COPY_OF_5.replace("{place}", place).replace("{previous}", previous)
    database_admin.execute(copied.replace(", occurred_at,", ", occurred_at - interval '1 second',"))

    inserted = [one for one in found(database_url) if one[0] == "inserted"]

    assert inserted == [("inserted", CHAIN, int(place), int(place))]


def test_an_event_put_in_between_is_named_though_the_rest_was_numbered_anew(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    database_admin.execute(RENUMBERED_AFTER_5.replace("{shift}", "+ 1"))
    database_admin.execute(COPY_OF_5.replace("{place}", "6").replace("{previous}", "hash"))
    database_admin.execute(
        "UPDATE app.audit_events e SET hash = app.audit_hash(e) WHERE chain = 3 AND sequence = 6"
    )
    database_admin.execute(HEAD_MOVED)

    assert found(database_url) == [("inserted", CHAIN, 6, 6)]


def rewritten_from_5(admin: psycopg.Connection[Any]) -> tuple[LoggedPlace, ...]:
    """Event 5 is changed and every hash computed anew, head included; the lines that were there."""
    before = admin.execute("SELECT chain, sequence, hash FROM app.audit_events").fetchall()
    admin.execute(
        "UPDATE app.audit_events SET action = 'grant:created' WHERE chain = 3 AND sequence = 5"
    )
    for sequence in range(5, EVENTS + 1):
        admin.execute(
            "UPDATE app.audit_events e SET previous_hash = p.hash FROM app.audit_events p"
            " WHERE e.chain = 3 AND p.chain = 3"
            " AND e.sequence = %(at)s AND p.sequence = %(at)s - 1",
            {"at": sequence},
        )
        admin.execute(
            "UPDATE app.audit_events e SET hash = app.audit_hash(e)"
            " WHERE chain = 3 AND sequence = %(at)s",
            {"at": sequence},
        )
    admin.execute(HEAD_MOVED)
    return tuple(LoggedPlace(chain, at, bytes(one), True) for chain, at, one in before)


def test_a_chain_computed_anew_is_betrayed_by_the_logged_lines(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    logged = rewritten_from_5(database_admin)

    assert found(database_url) == []
    betrayed = found(database_url, logged=logged)

    assert sorted(betrayed) == [("tampered", CHAIN, at, at) for at in range(5, EVENTS + 1)]


def test_a_chain_computed_anew_is_betrayed_by_an_archived_head(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    logged = rewritten_from_5(database_admin)
    sixth = next(one for one in logged if (one.chain, one.sequence) == (CHAIN, 6))
    archived = {CHAIN: ChainEnds(ChainPlace(CHAIN, 6, sixth.hash)), 7: ChainEnds(_start(7))}

    assert found(database_url, ends=archived) == [("tampered", CHAIN, 7, 7)]


def test_the_newest_events_and_their_head_taken_back_are_betrayed_by_the_logged_lines(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    logged = (LoggedPlace(CHAIN, EVENTS, b"\x01" * 32, True),)
    database_admin.execute("DELETE FROM app.audit_events WHERE chain = 3 AND sequence = 9")
    database_admin.execute(HEAD_MOVED)

    assert found(database_url) == []
    assert found(database_url, logged=logged) == [("deleted", CHAIN, EVENTS, EVENTS)]


def test_a_line_whose_commit_was_not_acknowledged_accuses_nobody(database_url: str) -> None:
    unknown = LoggedPlace(CHAIN, EVENTS + 1, b"\x01" * 32, False)

    assert found(database_url, logged=(unknown,)) == []


def _start(chain: int) -> ChainPlace:
    return ChainPlace(chain, 0, bytes(32))
