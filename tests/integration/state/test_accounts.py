"""Every end of a session and every connect is counted, by why and whose client it was."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from shared.domain.known_clients import ClientFamily
from shared.domain.sessions import LOSSES, RESPONSIBLE, REVIVABLE_CAUSES, EndCause, Responsible
from shared.observability import metrics
from shared.state import grants
from shared.state.database import Database, DatabaseUnavailableError
from shared.workflows.end_grant import end_grant
from tests.integration.state.pieces import add_grant, open_session

Samples = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def samples(capsys: pytest.CaptureFixture[str]) -> Samples:
    """The lines of one metric since the last look, without those of before the test."""
    metrics.flush()
    capsys.readouterr()

    def look(name: str) -> list[dict[str, Any]]:
        metrics.flush()
        written = capsys.readouterr().out.splitlines()
        lines = [json.loads(line) for line in written if line.startswith('{"_aws"')]
        return [line for line in lines if name in line]

    return look


async def end(database: Database, cause: EndCause, *, sessions: int) -> None:
    grant_id = await add_grant(database, client_family=ClientFamily.CLAUDE)
    async with database.transaction() as tx:
        for _ in range(sessions):
            await open_session(tx, grant_id)
    async with database.transaction() as tx:
        assert await end_grant(tx, grant_id=grant_id, cause=cause)
    async with database.transaction() as tx:
        assert not await end_grant(tx, grant_id=grant_id, cause=EndCause.EXPIRED)


def test_every_cause_says_whose_doing_it_is() -> None:
    assert set(RESPONSIBLE) == set(EndCause)
    assert {cause for cause in EndCause if RESPONSIBLE[cause] is Responsible.US} == {
        EndCause.REPLY_LOST
    }
    assert REVIVABLE_CAUSES < LOSSES


@pytest.mark.parametrize("cause", EndCause)
async def test_a_session_that_ends_is_counted_once_with_its_cause_and_client_family(
    database: Database, samples: Samples, cause: EndCause
) -> None:
    await end(database, cause, sessions=2)

    (line,) = samples("SessionsEnded")
    assert (line["SessionsEnded"], line["cause"], line["client_family"]) == (
        [2.0],
        cause.value,
        "claude",
    )


@pytest.mark.parametrize("cause", EndCause)
async def test_only_what_we_have_caused_is_an_involuntary_sign_out(
    database: Database, samples: Samples, cause: EndCause
) -> None:
    await end(database, cause, sessions=1)

    counted = [line["InvoluntarySignOuts"] for line in samples("InvoluntarySignOuts")]
    assert counted == ([[1.0]] if RESPONSIBLE[cause] is Responsible.US else [])


async def test_a_grant_that_nobody_had_a_session_of_signs_nobody_out(
    database: Database, samples: Samples
) -> None:
    await end(database, EndCause.REPLY_LOST, sessions=0)

    assert samples("InvoluntarySignOuts") == []


async def test_connects_are_counted_by_what_came_of_them(
    database_url: str, samples: Samples
) -> None:
    gone = Database(make_conninfo(database_url, port=1), connect_timeout_seconds=0.5)
    with contextlib.suppress(DatabaseUnavailableError):
        async with gone.autocommit():
            pass
    there = Database(database_url)
    async with there.transaction() as tx:
        await grants.due(tx, limit=1, push_seconds=1.0)
    async with there.transaction() as tx:
        await grants.due(tx, limit=1, push_seconds=1.0)
    await there.close()

    counted = [(line["operation"], line["outcome"]) for line in samples("DatabaseConnections")]
    assert counted == [("connect", "failed"), ("connect", "ok"), ("check", "ok")]
