"""An attempt without an outcome leaves its pair in doubt, and only that pair."""

import uuid

from shared.domain.identifiers import GrantId
from shared.state import refresh_attempts
from shared.state.database import Database
from tests.integration.state.pieces import add_grant, value
from tests.support.clock import DatabaseClock


async def begin(database: Database, grant_id: GrantId, *, generation: int = 1) -> uuid.UUID:
    attempt_id = uuid.uuid4()
    async with database.transaction() as tx:
        await refresh_attempts.begin(
            tx, attempt_id=attempt_id, grant_id=grant_id, pair_generation=generation
        )
    return attempt_id


async def in_doubt(
    database: Database,
    grant_id: GrantId,
    *,
    generation: int = 1,
    except_attempt_id: uuid.UUID | None = None,
) -> bool:
    async with database.autocommit() as tx:
        return await refresh_attempts.in_doubt(
            tx,
            grant_id=grant_id,
            pair_generation=generation,
            except_attempt_id=except_attempt_id or uuid.uuid4(),
        )


async def test_an_attempt_is_in_doubt_for_others_until_its_outcome_is_known(
    database: Database,
) -> None:
    grant_id = await add_grant(database)
    assert not await in_doubt(database, grant_id)
    own, other = await begin(database, grant_id), await begin(database, grant_id)

    assert await in_doubt(database, grant_id, except_attempt_id=own)
    async with database.transaction() as tx:
        await refresh_attempts.finish(tx, attempt_id=other, outcome="rejected")
    assert not await in_doubt(database, grant_id, except_attempt_id=own)
    assert await in_doubt(database, grant_id)


async def test_the_doubt_is_of_one_pair_of_one_grant(database: Database) -> None:
    grant_id, foreign = await add_grant(database), await add_grant(database)
    await begin(database, grant_id, generation=1)

    assert not await in_doubt(database, grant_id, generation=2)
    assert not await in_doubt(database, foreign)


async def test_old_doubts_are_given_up_and_young_ones_kept(
    database: Database, clock: DatabaseClock
) -> None:
    grant_id = await add_grant(database)
    old = await begin(database, grant_id)
    clock.advance(120)
    young = await begin(database, grant_id)

    async with database.transaction() as tx:
        given_up = await refresh_attempts.give_up(
            tx, grant_id=grant_id, pair_generation=1, older_than_seconds=60
        )

    assert given_up == 1
    assert await in_doubt(database, grant_id, except_attempt_id=old)
    assert not await in_doubt(database, grant_id, except_attempt_id=young)
    outcome = await value(
        database,
        "SELECT outcome FROM app.refresh_attempts WHERE attempt_id = %(id)s",
        {"id": old},
    )
    assert outcome == refresh_attempts.REPLY_LOST
