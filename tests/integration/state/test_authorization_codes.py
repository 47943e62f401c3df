"""A code is taken once, whoever asks at the same time, and known for a replay afterwards."""

import asyncio

import pytest

from shared.domain.identifiers import GrantId
from shared.domain.sign_ins import CODE_SECONDS_MAX
from shared.domain.tokens import TokenHash, TokenKind
from shared.state import authorization_codes
from shared.state.authorization_codes import CodeRecord
from shared.state.database import Database
from tests.integration.state.pieces import REQUEST, a_hash, add_grant
from tests.support.clock import DatabaseClock


async def add_code(database: Database) -> tuple[GrantId, TokenHash]:
    grant_id, code_hash = await add_grant(database), a_hash(TokenKind.CODE)
    async with database.transaction() as tx:
        await authorization_codes.add(tx, code_hash=code_hash, grant_id=grant_id, request=REQUEST)
    return grant_id, code_hash


async def take(database: Database, code_hash: TokenHash) -> CodeRecord | None:
    async with database.transaction() as tx:
        return await authorization_codes.take(tx, code_hash=code_hash)


async def test_a_code_stands_for_what_was_asked(database: Database) -> None:
    grant_id, code_hash = await add_code(database)

    assert await take(database, code_hash) == CodeRecord(
        grant_id=grant_id,
        client_id=REQUEST.client_id,
        redirect_uri=REQUEST.redirect_uri,
        scopes=REQUEST.scopes,
        resource=REQUEST.resource,
        code_challenge=REQUEST.code_challenge,
        expired=False,
        replayed=False,
    )


async def test_of_ten_takers_at_once_one_is_the_first(database: Database) -> None:
    _, code_hash = await add_code(database)

    taken = await asyncio.gather(*(take(database, code_hash) for _ in range(10)))

    assert sorted(one.replayed for one in taken if one) == [False] + [True] * 9


async def test_a_take_that_was_rolled_back_did_not_happen(database: Database) -> None:
    _, code_hash = await add_code(database)

    async def take_and_fail() -> None:
        async with database.transaction() as tx:
            await authorization_codes.take(tx, code_hash=code_hash)
            raise LookupError

    with pytest.raises(LookupError):
        await take_and_fail()

    again = await take(database, code_hash)

    assert again is not None
    assert not again.replayed


async def test_a_code_expires_by_the_clock_of_the_database_and_is_used_up_all_the_same(
    database: Database, clock: DatabaseClock
) -> None:
    _, code_hash = await add_code(database)
    clock.advance(CODE_SECONDS_MAX + 1)

    late = await take(database, code_hash)
    again = await take(database, code_hash)

    assert late is not None
    assert (late.expired, late.replayed) == (True, False)
    assert again is not None
    assert again.replayed


async def test_an_unknown_code_is_nothing(database: Database) -> None:
    assert await take(database, a_hash(TokenKind.CODE)) is None
