"""Connections to Postgres are replaced by age and by use, never in the middle of work."""

import pytest

from shared.domain.connection_lives import ConnectionLife
from shared.state.database import Database


async def backend(database: Database) -> int:
    async with database.transaction() as tx:
        row = await tx.row("SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])


async def test_a_connection_serves_its_uses_and_another_takes_its_place(database_url: str) -> None:
    life = ConnectionLife(uses_max=5, seconds_max=600)
    database = Database(database_url, connection_life=life)
    pids = [await backend(database) for _ in range(20)]
    await database.close()

    runs = [pids.count(pid) for pid in dict.fromkeys(pids)]
    # Up to a fifth earlier, each by its own draw; the last one has not ended yet.
    assert all(run in {4, 5} for run in runs[:-1])
    assert len(runs) >= 4


async def test_an_old_connection_is_replaced_and_not_within_a_transaction(
    database_url: str,
) -> None:
    database = Database(database_url, connection_life=ConnectionLife(seconds_max=1e-9))
    async with database.transaction() as tx:
        first = await tx.row("SELECT pg_backend_pid() AS pid")
        second = await tx.row("SELECT pg_backend_pid() AS pid")
    after = await backend(database)
    await database.close()

    assert first == second
    assert first is not None
    assert first["pid"] != after


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_life_is_cut_by_a_fifth_at_most(chance: float) -> None:
    drawn = ConnectionLife(uses_max=100, seconds_max=50).drawn(chance)

    assert 80 <= drawn.uses_max <= 100
    assert 40 <= drawn.seconds_max <= 50
    assert not drawn.is_over(age_seconds=39.9, uses=79)
    assert drawn.is_over(age_seconds=50, uses=0)
    assert drawn.is_over(age_seconds=0, uses=100)
