"""Operators verify, search and export the trail from the command line."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scripts.audit_trail import command_line
from shared.domain.audit_chains import ChainedEvent, from_line
from shared.domain.identifiers import ClientId, UserId, new_id
from shared.state import audit_events
from shared.state.audit_events import LINE_MESSAGE, AuditAction
from shared.state.database import Database
from shared.state.roles import AppRole
from tests.integration.audit_trail.trail import append

Output = pytest.CaptureFixture[str]
FILLED = 3


@pytest.fixture(autouse=True)
def operator(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the command line: somebody with the owner's connection."""
    monkeypatch.setenv("DATABASE_URL", database_url)


def the_hash(admin: psycopg.Connection[Any], sequence: int) -> str:
    row = admin.execute(
        "SELECT encode(hash, 'hex') FROM app.audit_events WHERE chain = 3 AND sequence = %s",
        [sequence],
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_an_untouched_trail_verifies(
    database_admin: psycopg.Connection[Any], capsys: Output
) -> None:
    append(database_admin, FILLED)

    assert command_line.main(["verify"]) == 0
    assert capsys.readouterr().out == "3 events in 32 chains, 0 findings\n"


def test_what_was_changed_is_named_and_the_exit_status_tells(
    database_admin: psycopg.Connection[Any], capsys: Output
) -> None:
    append(database_admin, FILLED)
    database_admin.execute("UPDATE app.audit_events SET action = 'x' WHERE sequence = 2")

    assert command_line.main(["verify"]) == 1
    assert "tampered: chain 3, sequence 2: " in capsys.readouterr().out


def test_verify_compares_with_the_lines_of_a_log(
    database_admin: psycopg.Connection[Any], capsys: Output, tmp_path: Path
) -> None:
    append(database_admin, FILLED)
    line = {"message": LINE_MESSAGE, "audit_chain": 3, "audit_committed": "yes"}
    told = [
        {**line, "audit_sequence": 1, "audit_hash": the_hash(database_admin, 1)},
        {**line, "audit_sequence": 3, "audit_hash": "ab" * 32},
        {**line, "audit_sequence": 4, "audit_hash": "ab" * 32},
    ]
    log = tmp_path / "log"
    log.write_text(
        "START RequestId\n" + "".join(f"2026-11-25T10:00:00Z {json.dumps(one)}\n" for one in told)
    )

    assert command_line.main(["verify", "--log", str(log)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "tampered: chain 3, sequence 3: the log tells of another event at this place",
        "deleted: chain 3, sequence 4: the log tells of an event at this place",
        "3 events in 32 chains, 2 findings",
        "3 log lines, 1 events between them without one",
    ]


def test_verify_begins_behind_an_archived_head(
    database_admin: psycopg.Connection[Any], capsys: Output, tmp_path: Path
) -> None:
    append(database_admin, FILLED)
    archived = tmp_path / "heads.json"
    head = {"chain": 3, "sequence": 2, "hash": the_hash(database_admin, 2)}
    archived.write_text(json.dumps({"heads": [head]}))

    assert command_line.main(["verify", "--from", str(archived)]) == 0
    archived.write_text(json.dumps({"heads": [{**head, "hash": "ab" * 32}]}))
    assert command_line.main(["verify", "--from", str(archived)]) == 1
    assert "chain 3, sequence 3: does not follow what" in capsys.readouterr().out


async def appended(database_url: str) -> tuple[UserId, ClientId]:
    """One event of a person and a client, and some of others."""
    person, client = UserId(new_id()), ClientId("a-client")
    database = Database(database_url)
    async with database.transaction() as tx:
        await audit_events.append(tx, AuditAction.CONSENT_DENIED)
        await audit_events.append(
            tx, AuditAction.GRANT_ENDED, user_id=person, client_id=client, details={"cause": "x"}
        )
        await audit_events.append(tx, AuditAction.GRANT_ENDED, user_id=UserId(new_id()))
    await database.close()
    return person, client


async def test_events_are_found_by_action_person_client_and_time(
    database_url: str, capsys: Output
) -> None:
    person, client = await appended(database_url)

    def number(*words: str) -> int:
        assert command_line.main(["search", *words]) == 0
        return len(capsys.readouterr().out.splitlines())

    assert number() == 3
    assert number("--action", "grant:ended") == 2
    assert number("--action", "grant:ended", "--person", str(person)) == 1
    assert number("--client", client) == 1
    assert number("--since", "2020-01-01", "--until", "2020-02-01") == 0
    assert number("--since", "2020-01-01") == 3


async def test_an_export_is_json_lines_whose_hashes_hold(database_url: str, capsys: Output) -> None:
    person, _ = await appended(database_url)

    assert command_line.main(["export", "--person", str(person)]) == 0

    exported: list[ChainedEvent] = [from_line(one) for one in capsys.readouterr().out.splitlines()]
    assert [one.action for one in exported] == ["grant:ended"]
    assert all(one.intact for one in exported)
    assert json.loads(exported[0].details) == {"cause": "x"}


def test_a_role_of_a_function_is_told_that_it_may_not(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    role = AppRole.CLEANUP.value
    monkeypatch.setenv("DATABASE_URL", make_conninfo(database_url, user=role))

    assert command_line.main(["verify"]) == 2
    assert capsys.readouterr().err == "FAILED: InsufficientPrivilege\n"


def test_a_file_that_is_none_of_ours_is_refused(capsys: Output, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")

    assert command_line.main(["verify", "--from", str(other)]) == 2
    assert "not a file of heads" in capsys.readouterr().err
