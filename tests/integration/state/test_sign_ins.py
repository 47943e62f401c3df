"""A sign-in is opened, consented to and taken once, by the browser and the page that began it."""

import asyncio
import dataclasses

import pytest

from shared.domain.identifiers import SignInId, new_id
from shared.domain.sign_ins import SIGN_IN_SECONDS_MAX, SignIn, SpentTime
from shared.domain.tokens import TokenHash
from shared.state import sign_ins
from shared.state.database import Database
from tests.integration.state.pieces import DAY, REQUEST, a_hash, add_client, value
from tests.support.clock import DatabaseClock

FIELDS = ("sign_in_id", "browser_hash", "consent_hash")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Opened:
    sign_in_id: SignInId = dataclasses.field(default_factory=lambda: SignInId(new_id()))
    browser_hash: TokenHash = dataclasses.field(default_factory=a_hash)
    consent_hash: TokenHash = dataclasses.field(default_factory=a_hash)


@pytest.fixture
async def opened(database: Database) -> Opened:
    await add_client(database)
    begun = Opened()
    async with database.transaction() as tx:
        await sign_ins.begin(
            tx,
            sign_in_id=begun.sign_in_id,
            browser_hash=begun.browser_hash,
            consent_hash=begun.consent_hash,
            request=REQUEST,
        )
    return begun


async def find(database: Database, begun: Opened) -> bool:
    async with database.transaction() as tx:
        found = await sign_ins.find_for_consent(tx, **vars(begun))
    assert found in (None, REQUEST)
    return found is not None


async def send(database: Database, begun: Opened, state_hash: TokenHash) -> bool:
    async with database.transaction() as tx:
        found = await sign_ins.send_upstream(tx, **vars(begun), state_hash=state_hash)
    assert found in (None, REQUEST)
    return found is not None


async def deny(database: Database, begun: Opened) -> bool:
    async with database.transaction() as tx:
        found = await sign_ins.deny(tx, **vars(begun))
    assert found in (None, REQUEST)
    return found is not None


async def test_a_sign_in_adds_up_what_our_requests_have_taken(
    database: Database, opened: Opened
) -> None:
    state_hash = a_hash()
    async with database.transaction() as tx:
        for _ in range(2):
            await sign_ins.send_upstream(
                tx, **vars(opened), state_hash=state_hash, spent=SpentTime(30.0, 20.0)
            )

    taken = await take(database, state_hash)

    assert taken is not None
    assert taken.spent.and_then(SpentTime(5.0, 1.0)) == SpentTime(65.0, 41.0)


async def take(database: Database, state_hash: TokenHash) -> SignIn | None:
    async with database.transaction() as tx:
        return await sign_ins.take(tx, state_hash=state_hash)


async def test_what_was_asked_comes_back_whole(database: Database, opened: Opened) -> None:
    state_hash = a_hash()

    assert await find(database, opened)
    assert await send(database, opened, state_hash)
    taken = await take(database, state_hash)

    assert taken == SignIn(
        sign_in_id=opened.sign_in_id, request=REQUEST, browser_hash=opened.browser_hash
    )


@pytest.mark.parametrize("field", FIELDS)
async def test_another_browser_page_or_sign_in_finds_nothing(
    database: Database, opened: Opened, field: str
) -> None:
    foreign = dataclasses.replace(opened, **{field: getattr(Opened(), field)})

    assert not await find(database, foreign)
    assert not await send(database, foreign, a_hash())
    assert not await deny(database, foreign)
    assert await find(database, opened)


async def test_a_state_is_good_once(database: Database, opened: Opened) -> None:
    state_hash = a_hash()
    await send(database, opened, state_hash)

    taken = await asyncio.gather(*(take(database, state_hash) for _ in range(10)))

    assert len([one for one in taken if one is not None]) == 1


async def test_a_foreign_state_takes_nothing(database: Database, opened: Opened) -> None:
    state_hash = a_hash()
    await send(database, opened, state_hash)

    assert await take(database, a_hash()) is None
    assert await take(database, state_hash) is not None


async def test_consent_is_given_once_and_the_same_form_again_is_no_second_one(
    database: Database, opened: Opened
) -> None:
    first, second = a_hash(), a_hash()

    assert await send(database, opened, first)
    assert await send(database, opened, first)
    assert not await send(database, opened, second)
    assert not await find(database, opened)
    assert not await deny(database, opened)
    assert await take(database, second) is None


async def test_of_many_answers_at_once_one_counts(database: Database, opened: Opened) -> None:
    answers = await asyncio.gather(
        *(send(database, opened, a_hash()) for _ in range(5)),
        *(deny(database, opened) for _ in range(5)),
    )

    assert answers.count(True) == 1


async def test_a_refused_sign_in_is_gone(database: Database, opened: Opened) -> None:
    assert await deny(database, opened)

    assert not await deny(database, opened)
    assert await value(database, "SELECT count(*) FROM app.sign_ins") == 0


async def test_a_sign_in_ends_by_the_clock_of_the_database(
    database: Database, opened: Opened, clock: DatabaseClock
) -> None:
    clock.advance(SIGN_IN_SECONDS_MAX - 5)
    assert await find(database, opened)

    clock.advance(10)

    assert not await find(database, opened)
    assert not await send(database, opened, a_hash())
    assert not await deny(database, opened)


async def test_a_state_that_comes_back_too_late_is_used_up_and_no_answer(
    database: Database, opened: Opened, clock: DatabaseClock
) -> None:
    state_hash = a_hash()
    await send(database, opened, state_hash)
    clock.advance(SIGN_IN_SECONDS_MAX + 5)

    assert await take(database, state_hash) is None
    clock.advance(-SIGN_IN_SECONDS_MAX)
    assert await take(database, state_hash) is None


async def test_an_approval_covers_the_same_or_less_in_the_same_browser_for_its_time(
    database: Database, clock: DatabaseClock
) -> None:
    await add_client(database)
    browser_hash = a_hash()
    less = dataclasses.replace(REQUEST, scopes=REQUEST.scopes[:1])
    more = dataclasses.replace(REQUEST, scopes=(*REQUEST.scopes, "site:tools"))
    elsewhere = dataclasses.replace(REQUEST, redirect_uri="https://client.example/other")
    async with database.transaction() as tx:
        await sign_ins.approve_in_browser(
            tx, browser_hash=browser_hash, request=REQUEST, seconds=DAY
        )

        asked = {
            "same": await sign_ins.is_approved(tx, browser_hash=browser_hash, request=REQUEST),
            "less": await sign_ins.is_approved(tx, browser_hash=browser_hash, request=less),
            "more": await sign_ins.is_approved(tx, browser_hash=browser_hash, request=more),
            "to": await sign_ins.is_approved(tx, browser_hash=browser_hash, request=elsewhere),
            "in": await sign_ins.is_approved(tx, browser_hash=a_hash(), request=REQUEST),
        }
    clock.advance(DAY + 5)
    async with database.transaction() as tx:
        later = await sign_ins.is_approved(tx, browser_hash=browser_hash, request=REQUEST)

    assert asked == {"same": True, "less": True, "more": False, "to": False, "in": False}
    assert not later
