"""An assertion counts for one request, by the database's clock."""

import asyncio
from uuid import UUID

import pytest

from shared.domain.identifiers import new_id
from shared.state import assertion_ids
from shared.state.assertion_ids import AssertionUse
from shared.state.database import Database
from tests.integration.state.pieces import CLIENT_ID, add_client, value
from tests.support.clock import DatabaseClock


async def accept(
    database: Database, request_id: UUID, *, expires_in: float = 300, valid_in: float = -1
) -> bool:
    now = await value(database, "SELECT extract(epoch FROM app.now())::float8")
    use = AssertionUse(
        client_id=CLIENT_ID,
        jti="one",
        request_id=request_id,
        expires_at=now + expires_in,
        valid_from=now + valid_in,
    )
    async with database.transaction() as tx:
        return await assertion_ids.accept(tx, use)


async def test_a_second_attempt_of_one_request_is_no_second_use(database: Database) -> None:
    await add_client(database)
    request_id = new_id()

    assert await accept(database, request_id)
    assert await accept(database, request_id)
    assert not await accept(database, new_id())


async def test_of_many_requests_at_once_one_counts(database: Database) -> None:
    await add_client(database)

    found = await asyncio.gather(*(accept(database, new_id()) for _ in range(8)))

    assert found.count(True) == 1


@pytest.mark.parametrize(
    ("expires_in", "valid_in", "accepted"),
    [(1, 0, True), (0, 0, False), (329, 0, True), (331, 0, False), (60, 29, True), (60, 31, False)],
)
async def test_the_times_of_an_assertion_have_bounds(
    database: Database,
    clock: DatabaseClock,
    expires_in: float,
    valid_in: float,
    *,
    accepted: bool,
) -> None:
    await add_client(database)
    clock.advance(86_400)

    found = await accept(database, new_id(), expires_in=expires_in, valid_in=valid_in)

    assert found is accepted
