"""Unknown, expired, used and foreign codes and tokens: one answer, by the same statements.

Nobody may learn from an answer, or from what it costs, whether a code or token that they hold was
ever good.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, LiteralString

import httpx2
import psycopg
import pytest

from shared.domain.sessions import GRACE_SECONDS
from shared.domain.tokens import TokenKind, mint
from shared.state.connection import Answer
from shared.state.database import Transaction
from tests.integration.oauth.driver import Driver
from tests.support.clock import DatabaseClock

DAY = 86_400
ENDED_MORE = 1
"""The event that says what a refusal has ended."""


@dataclass
class Told:
    """What a caller can learn: the answer, and the statements that it cost."""

    answer: httpx2.Response
    statements: list[str]

    @property
    def work(self) -> list[str]:
        """What was done before the answer."""
        return [sql for sql in self.statements if not _counts(sql)]

    @property
    def counting(self) -> list[str]:
        """What counted the refusal by address and client, after the answer was made."""
        return [sql for sql in self.statements if _counts(sql)]

    @property
    def seen(self) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers, but for what names the one request."""
        body = {name: text for name, text in self.answer.json().items() if name != "correlation_id"}
        return self.answer.status_code, body, dict(self.answer.headers)


def _counts(sql: str) -> bool:
    return "app.take_from_limit" in sql


@dataclass
class Recorder:
    """Listens to every statement at the seam to the database."""

    statements: list[str] = field(default_factory=list)

    async def listen(self, asked: Awaitable[httpx2.Response]) -> Told:
        self.statements.clear()
        return Told(await asked, list(self.statements))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The recorder, listening."""
    recorder, run = Recorder(), Transaction._run

    async def recorded(tx: Transaction, sql: LiteralString, params: Any) -> Answer:
        recorder.statements.append(sql)
        return await run(tx, sql, params)

    monkeypatch.setattr(Transaction, "_run", recorded)
    return recorder


@dataclass
class World:
    """One client with its person, and another client."""

    driver: Driver
    clock: DatabaseClock
    own: str = ""
    other: str = ""

    async def new_code(self) -> str:
        return await self.driver.sign_in()

    async def new_tokens(self) -> dict[str, str]:
        tokens: dict[str, str] = (await self.driver.redeem(await self.driver.sign_in())).json()
        return tokens

    async def as_other(self, asked: Awaitable[httpx2.Response]) -> httpx2.Response:
        self.driver.client_id, own = self.other, self.driver.client_id
        try:
            return await asked
        finally:
            self.driver.client_id = own


@pytest.fixture
async def world(driver: Driver, clock: DatabaseClock) -> World:
    """Both clients are registered."""
    other = (await driver.register(client_name="Other"))["client_id"]
    own = (await driver.register(client_name="Own"))["client_id"]
    return World(driver, clock, own=own, other=other)


def all_alike(told: dict[str, Told], *, ended: int) -> None:
    """One answer for all; one list of statements, but for ``ended`` endings' own event."""
    seen = {name: one.seen for name, one in told.items()}
    assert all(one == seen["unknown"] for one in seen.values()), seen
    expected = told["unknown"].work
    assert len(expected) > 1
    longer = 0
    for name, one in told.items():
        assert one.work[: len(expected)] == expected, name
        assert one.counting == told["unknown"].counting, name
        longer += len(one.work) - len(expected)
    assert longer == ended * ENDED_MORE


async def test_codes_that_are_no_good_look_alike(world: World, recorder: Recorder) -> None:
    driver = world.driver
    expired = await world.new_code()
    world.clock.advance(61)
    foreign, wrong_verifier, used = [await world.new_code() for _ in range(3)]
    await driver.redeem(used)

    told = {
        "unknown": await recorder.listen(driver.redeem(mint(TokenKind.CODE))),
        "expired": await recorder.listen(driver.redeem(expired)),
        "foreign": await recorder.listen(driver.redeem(foreign, client_id=world.other)),
        "wrong verifier": await recorder.listen(
            driver.redeem(wrong_verifier, code_verifier="w" * 43)
        ),
        "used": await recorder.listen(driver.redeem(used)),
        "used before": await recorder.listen(driver.redeem(used)),
        "used by another": await recorder.listen(driver.redeem(foreign)),
    }

    all_alike(told, ended=2)
    assert told["unknown"].answer.json()["error"] == "invalid_grant"


async def test_refresh_tokens_that_are_no_good_look_alike(
    world: World, recorder: Recorder, database_admin: psycopg.Connection[Any]
) -> None:
    driver = world.driver
    expired = (await world.new_tokens())["refresh_token"]
    world.clock.advance(31 * DAY)
    foreign, revoked, reused = [(await world.new_tokens())["refresh_token"] for _ in range(3)]
    await driver.revoke(revoked)
    successor = (await driver.refresh(reused)).json()["refresh_token"]
    await driver.refresh(successor)
    world.clock.advance(GRACE_SECONDS + 1)

    told = {
        "unknown": await recorder.listen(driver.refresh(mint(TokenKind.REFRESH))),
        "expired": await recorder.listen(driver.refresh(expired)),
        "foreign": await recorder.listen(driver.refresh(foreign, client_id=world.other)),
        "revoked": await recorder.listen(driver.refresh(revoked)),
        "reused": await recorder.listen(driver.refresh(reused)),
        "reused before": await recorder.listen(driver.refresh(reused)),
    }

    all_alike(told, ended=1)
    assert told["unknown"].answer.json()["error"] == "invalid_grant"
    reuses = "SELECT count(*) FROM app.audit_events WHERE action = 'refresh_token:reused'"
    assert database_admin.execute(reuses).fetchone() == (1,)


@pytest.mark.parametrize("kind", [TokenKind.ACCESS, TokenKind.REFRESH])
async def test_tokens_that_cannot_be_revoked_look_alike_and_like_those_that_can(
    kind: TokenKind, world: World, recorder: Recorder
) -> None:
    driver = world.driver
    name = "access_token" if kind is TokenKind.ACCESS else "refresh_token"
    foreign, revoked, live = [(await world.new_tokens())[name] for _ in range(3)]
    await driver.revoke(revoked)

    told = {
        "unknown": await recorder.listen(driver.revoke(mint(kind))),
        "foreign": await recorder.listen(world.as_other(driver.revoke(foreign))),
        "revoked": await recorder.listen(driver.revoke(revoked)),
    }
    all_alike(told, ended=0)
    ended = await recorder.listen(driver.revoke(live))
    assert ended.seen == told["unknown"].seen


async def test_an_access_token_is_no_refresh_token_and_no_code(
    world: World, recorder: Recorder
) -> None:
    driver = world.driver
    tokens = await world.new_tokens()
    asks: list[Callable[[str], Awaitable[httpx2.Response]]] = [driver.refresh, driver.redeem]

    for ask in asks:
        own = await recorder.listen(ask(tokens["access_token"]))
        unknown = await recorder.listen(ask(mint(TokenKind.ACCESS)))

        assert (own.seen, own.statements) == (unknown.seen, unknown.statements)
        assert own.answer.json()["error"] == "invalid_grant"
