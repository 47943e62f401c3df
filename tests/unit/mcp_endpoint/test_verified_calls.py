"""Who reads on while Postgres is away: whom it let in within the minute, and nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from functions.mcp_endpoint.verified_calls import (
    CALLS_IN_OUTAGE_MAX,
    VERIFIED_MAX,
    VERIFIED_SECONDS_MAX,
    VerifiedCalls,
)
from shared.domain.tokens import TokenHash, TokenKind, hash_token, mint
from shared.state.calls import CallRecord, CallRefusal
from shared.state.database import DatabaseUnavailableError
from tests.unit.mcp_endpoint.pieces import NOW, Bearers


class Clocks:
    """The monotonic clock and the wall's, each as a test sets it."""

    def __init__(self) -> None:
        self.now = (100.0, 5_000.0)

    def __call__(self) -> tuple[float, float]:
        return self.now


class Doorway:
    """The look-up over a table of bearers, and its clocks."""

    def __init__(self) -> None:
        self.bearers = Bearers("https://mcp.example/mcp")
        self.clocks = Clocks()
        self.verified = VerifiedCalls(self.bearers.find, moment=self.clocks)

    def issue(self, **changes: Any) -> TokenHash:
        return hash_token(self.bearers.issue(**changes))

    async def find(self, token_hash: TokenHash) -> CallRecord | None:
        return await self.verified.find(token_hash, None)

    def postgres_is(self, *, away: bool) -> None:
        self.bearers.outage = DatabaseUnavailableError() if away else None


async def test_a_caller_of_the_last_minute_reads_on_and_time_goes_on_for_them() -> None:
    door = Doorway()
    token_hash = door.issue(refusal=CallRefusal.RATE)
    await door.find(token_hash)
    door.postgres_is(away=True)
    door.clocks.now = (130.0, 5_030.0)
    found = await door.find(token_hash)

    assert found is not None
    assert found.call is not None
    assert (found.remembered, found.refusal) == (True, None)
    assert found.now == found.call.now == NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    "later",
    [
        (100.0 + VERIFIED_SECONDS_MAX + 1, 5_000.0),
        (100.0, 5_000.0 + VERIFIED_SECONDS_MAX + 1),
    ],
)
async def test_after_a_minute_by_either_clock_nobody_does(later: tuple[float, float]) -> None:
    door = Doorway()
    token_hash = door.issue()
    await door.find(token_hash)
    door.postgres_is(away=True)
    door.clocks.now = later

    with pytest.raises(DatabaseUnavailableError):
        await door.find(token_hash)


async def test_a_stranger_is_not_let_in() -> None:
    door = Doorway()
    token_hash = door.issue()
    door.postgres_is(away=True)

    with pytest.raises(DatabaseUnavailableError):
        await door.find(token_hash)


@pytest.mark.parametrize(
    "changes",
    [{"session_ended": True}, {"grant_ended": True}, {"call": None}, {"token_expires_at": NOW}],
)
async def test_whose_end_was_heard_of_is_forgotten(changes: dict[str, Any]) -> None:
    door = Doorway()
    token_hash = door.issue()
    await door.find(token_hash)
    ended = door.issue(**changes)
    door.bearers.records[token_hash] = door.bearers.records[ended]
    await door.find(token_hash)
    door.postgres_is(away=True)

    with pytest.raises(DatabaseUnavailableError):
        await door.find(token_hash)


async def test_a_token_that_expires_meanwhile_is_expired() -> None:
    door = Doorway()
    token_hash = door.issue(token_expires_at=NOW + timedelta(seconds=20))
    await door.find(token_hash)
    door.postgres_is(away=True)
    door.clocks.now = (121.0, 5_021.0)
    found = await door.find(token_hash)

    assert found is not None
    assert found.token_expired


async def test_calls_on_one_verification_are_counted() -> None:
    door = Doorway()
    token_hash = door.issue()
    await door.find(token_hash)
    door.postgres_is(away=True)
    for _ in range(CALLS_IN_OUTAGE_MAX):
        await door.find(token_hash)

    with pytest.raises(DatabaseUnavailableError):
        await door.find(token_hash)


async def test_those_seen_last_are_remembered_so_many_of_them() -> None:
    door = Doorway()
    hashes = [door.issue() for _ in range(VERIFIED_MAX + 1)]
    for token_hash in hashes:
        await door.find(token_hash)
    door.postgres_is(away=True)

    with pytest.raises(DatabaseUnavailableError):
        await door.find(hashes[0])
    assert await door.find(hashes[1]) is not None


async def test_after_a_restore_nobody_is_known() -> None:
    door = Doorway()
    token_hash = door.issue()
    await door.find(token_hash)
    door.verified.forget()
    door.postgres_is(away=True)

    with pytest.raises(DatabaseUnavailableError):
        await door.find(token_hash)


async def test_an_unknown_token_is_unknown() -> None:
    door = Doorway()

    assert await door.find(hash_token(mint(TokenKind.ACCESS))) is None
