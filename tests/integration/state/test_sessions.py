"""A session's tokens: opened, rotated, found again, and all dead at its end."""

import asyncio
from datetime import timedelta

import pytest

from shared.domain.grants import GrantStatus
from shared.domain.identifiers import GrantId, SessionId, new_id
from shared.domain.sessions import EndCause, RotationDecision, decide_rotation
from shared.domain.tokens import TokenHash, TokenKind
from shared.state import calls, grants, sessions
from shared.state.database import Database
from shared.state.sessions import NewAccessToken, PresentedRefreshToken, RotationLostError
from tests.integration.state.pieces import (
    CLIENT_ID,
    DAY,
    HOUR,
    REQUEST,
    StoredSession,
    a_hash,
    add_grant,
    add_session,
    open_session,
    rotate,
    value,
)
from tests.support.clock import DatabaseClock

ALIVE = """
    SELECT count(*) FROM app.sessions WHERE grant_id = %(grant_id)s AND ended_at IS NULL
"""


async def lives(database: Database, access_hash: TokenHash) -> bool:
    async with database.autocommit() as tx:
        return await sessions.access_token_lives(tx, access_hash)


async def look(database: Database, refresh_hash: TokenHash) -> PresentedRefreshToken | None:
    async with database.transaction() as tx:
        return await sessions.lock_refresh_token(tx, refresh_hash)


async def rotated(database: Database, session: StoredSession) -> StoredSession:
    async with database.transaction() as tx:
        assert await sessions.lock_refresh_token(tx, session.refresh_hash) is not None
        return await rotate(tx, session)


async def answered_anew(database: Database, session: StoredSession) -> TokenHash:
    access_hash = a_hash()
    async with database.transaction() as tx:
        await sessions.answer_anew(
            tx,
            presented_hash=session.refresh_hash,
            successor_sealed=b"another answer",
            access=NewAccessToken(token_hash=access_hash, life_seconds=DAY),
        )
    return access_hash


async def decide(database: Database, refresh_hash: TokenHash) -> RotationDecision | None:
    found = await look(database, refresh_hash)
    if found is None:
        return None
    return decide_rotation(found.session, found.state, now=found.now)


async def test_an_opened_session_lives_with_both_tokens(database: Database) -> None:
    session = await add_session(database)
    found = await look(database, session.refresh_hash)

    assert await lives(database, session.access_hash)
    assert found is not None
    assert found.session.session_id == session.session_id
    assert found.session.scopes == REQUEST.scopes
    assert (found.sequence, found.grant_status) == (1, GrantStatus.ACTIVE)
    assert (found.state.used_at, found.state.successor_used_at) == (None, None)
    assert found.session.absolute_expires_at - found.now > timedelta(days=89)


async def test_no_token_outlives_its_session(database: Database, clock: DatabaseClock) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        session = await open_session(tx, grant_id, absolute_seconds=HOUR)
    second = await rotated(database, session)
    extra = await answered_anew(database, session)
    clock.advance(HOUR + 5)

    assert not any(
        [await lives(database, one) for one in (session.access_hash, second.access_hash, extra)]
    )
    assert await decide(database, second.refresh_hash) is RotationDecision.REFUSE
    assert await value(database, "SELECT max(expires_at) FROM app.refresh_tokens") == await value(
        database, "SELECT absolute_expires_at FROM app.sessions"
    )


async def test_an_access_token_expires_by_the_clock_of_the_database(
    database: Database, clock: DatabaseClock
) -> None:
    session = await add_session(database, access_seconds=HOUR)
    clock.advance(HOUR - 5)
    assert await lives(database, session.access_hash)

    clock.advance(10)

    assert not await lives(database, session.access_hash)


async def test_a_rotation_keeps_the_first_access_token_and_adds_a_second(
    database: Database,
) -> None:
    first = await add_session(database)
    second = await rotated(database, first)

    assert await lives(database, first.access_hash)
    assert await lives(database, second.access_hash)
    assert await decide(database, second.refresh_hash) is RotationDecision.ROTATE


async def test_a_used_token_gives_its_answer_again_until_its_successor_has_been_used_a_while(
    database: Database, clock: DatabaseClock
) -> None:
    first = await add_session(database)
    second = await rotated(database, first)
    presented = await look(database, first.refresh_hash)
    decisions = [await decide(database, first.refresh_hash)]
    clock.advance(HOUR)
    await rotated(database, second)
    decisions.append(await decide(database, first.refresh_hash))
    clock.advance(61)
    decisions.append(await decide(database, first.refresh_hash))

    assert presented is not None
    assert presented.successor_sealed == b"sealed answer"
    assert decisions == [
        RotationDecision.REPLAY,
        RotationDecision.REPLAY,
        RotationDecision.END_FAMILY,
    ]


async def test_of_twenty_refreshes_at_once_one_rotates_and_nineteen_replay(
    database: Database,
) -> None:
    session = await add_session(database)

    async def present() -> RotationDecision:
        async with database.transaction() as tx:
            found = await sessions.lock_refresh_token(tx, session.refresh_hash)
            assert found is not None
            decision = decide_rotation(found.session, found.state, now=found.now)
            if decision is RotationDecision.ROTATE:
                await rotate(tx, session)
            return decision

    decisions = await asyncio.gather(*(present() for _ in range(20)))

    assert decisions.count(RotationDecision.ROTATE) == 1
    assert decisions.count(RotationDecision.REPLAY) == 19
    assert await value(database, "SELECT count(*) FROM app.refresh_tokens") == 2


async def test_a_rotation_of_a_used_token_is_refused(database: Database) -> None:
    session = await add_session(database)
    await rotated(database, session)

    with pytest.raises(RotationLostError):
        async with database.transaction() as tx:
            await rotate(tx, session)


async def test_an_unused_token_has_no_answer_to_give_anew(database: Database) -> None:
    session = await add_session(database)

    with pytest.raises(RotationLostError):
        await answered_anew(database, session)


async def test_an_access_token_has_the_scopes_of_its_session_unless_it_was_given_fewer(
    database: Database,
) -> None:
    session = await add_session(database)
    async with database.transaction() as tx:
        await sessions.lock_refresh_token(tx, session.refresh_hash)
        second = await rotate(tx, session, access_scopes=REQUEST.scopes[:1])
        first_call = await calls.authenticate(tx, session.access_hash)
        second_call = await calls.authenticate(tx, second.access_hash)

    assert [one and one.call and one.call.scopes for one in (first_call, second_call)] == [
        REQUEST.scopes,
        REQUEST.scopes[:1],
    ]
    assert len(REQUEST.scopes) > 1


async def test_a_rotation_of_an_ended_session_is_refused(database: Database) -> None:
    session = await add_session(database)
    async with database.transaction() as tx:
        await sessions.end(tx, session_id=session.session_id, cause=EndCause.REVOKED_BY_CLIENT)

    with pytest.raises(RotationLostError):
        async with database.transaction() as tx:
            await rotate(tx, session)


async def test_an_ended_session_has_no_living_token_and_one_cause(database: Database) -> None:
    session = await add_session(database)
    async with database.transaction() as tx:
        first = await sessions.end(
            tx, session_id=session.session_id, cause=EndCause.REFRESH_TOKEN_REUSED
        )
    async with database.transaction() as tx:
        second = await sessions.end(
            tx, session_id=session.session_id, cause=EndCause.REVOKED_BY_CLIENT
        )
        unknown = await sessions.end(
            tx, session_id=SessionId(new_id()), cause=EndCause.REVOKED_BY_CLIENT
        )

    assert (first, second, unknown) == (True, False, False)
    assert not await lives(database, session.access_hash)
    assert await decide(database, session.refresh_hash) is RotationDecision.REFUSE
    assert await value(database, "SELECT ended_cause FROM app.sessions") == "refresh_token_reused"


@pytest.mark.parametrize("what", ["session", "grant"])
async def test_nothing_lives_after_an_end_that_races_a_rotation(
    database: Database, what: str
) -> None:
    async def refresh(session: StoredSession) -> StoredSession:
        async with database.transaction() as tx:
            found = await sessions.lock_refresh_token(tx, session.refresh_hash)
            assert found is not None
            ended = found.session.ended_at or found.grant_status is GrantStatus.ENDED
            return session if ended else await rotate(tx, session)

    async def end(session: StoredSession) -> bool:
        async with database.transaction() as tx:
            cause = EndCause.REVOKED_BY_CLIENT
            if what == "session":
                return await sessions.end(tx, session_id=session.session_id, cause=cause)
            return bool(await grants.end(tx, grant_id=session.grant_id, cause=cause))

    for turn in range(50):
        session = await add_session(database)
        # Either one first, so that each wins some of the time.
        if turn % 2:
            after, ended = await asyncio.gather(refresh(session), end(session))
        else:
            ended, after = await asyncio.gather(end(session), refresh(session))
        assert ended
        assert not await lives(database, session.access_hash)
        assert not await lives(database, after.access_hash)
        assert await decide(database, after.refresh_hash) is RotationDecision.REFUSE


async def test_a_session_opened_while_its_grant_waits_to_end_ends_with_it(
    database: Database,
) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        # As a redemption does: the grant cannot end before the commit.
        assert await grants.find_locked(tx, grant_id) is not None
        ending = asyncio.create_task(end_grant(database, grant_id))
        session = await open_session(tx, grant_id)
        await until_somebody_waits(database)

    assert await ending
    assert not await lives(database, session.access_hash)
    assert await value(database, ALIVE, {"grant_id": grant_id}) == 0


async def end_grant(database: Database, grant_id: GrantId) -> bool:
    async with database.transaction() as tx:
        return bool(await grants.end(tx, grant_id=grant_id, cause=EndCause.REJECTED_UPSTREAM))


async def until_somebody_waits(database: Database) -> None:
    async def look_again() -> None:
        while not await value(database, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass

    await asyncio.wait_for(asyncio.create_task(look_again()), timeout=5)


async def test_a_token_of_either_kind_names_its_session_live_or_not(database: Database) -> None:
    session = await add_session(database)
    await rotated(database, session)
    async with database.transaction() as tx:
        await sessions.end(tx, session_id=session.session_id, cause=EndCause.REVOKED_BY_CLIENT)
        found = [
            await sessions.find_by_token(tx, one)
            for one in (session.access_hash, session.refresh_hash, a_hash(TokenKind.REFRESH))
        ]

    known = (session.session_id, session.grant_id, CLIENT_ID)
    assert found == [known, known, None]


async def test_an_unknown_refresh_token_locks_nothing(database: Database) -> None:
    assert await look(database, a_hash(TokenKind.REFRESH)) is None
