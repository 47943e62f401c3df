"""Every rule deletes what is due and nothing a moment earlier, a batch at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest

from shared.domain.account_page import VISIT_IDLE_SECONDS_MAX
from shared.domain.identifiers import ClientId, SignInId, new_id
from shared.domain.sessions import EndCause, RotationDecision, decide_rotation
from shared.domain.sign_ins import CODE_SECONDS_MAX, SIGN_IN_SECONDS_MAX
from shared.state import (
    authorization_codes,
    clients,
    containments,
    grants,
    sessions,
    sign_ins,
)
from shared.state.database import Database
from shared.state.retention import RULES, RetentionRule, purge
from tests.integration.state.aging_rows import (
    a_body_nobody_reaches,
    a_call,
    a_call_never_closed,
    a_client_without_a_grant,
    a_copy,
    a_document_never_had,
    a_document_once_good,
    a_fetch,
    a_list_of_tools,
    a_network_of_a_session,
    a_page_of_results,
    a_pair_that_could_not_be_burnt,
    a_person_without_a_grant,
    a_rotated_session,
    a_search_and_what_it_found,
    a_session_never_ended,
    a_set_of_keys,
    a_sign_in,
    a_title,
    a_used_assertion,
    a_used_code,
    a_used_refresh_token,
    a_visit,
    add_code,
    an_access_token,
    an_account_sign_in,
    an_approval,
    an_attempt,
    an_ended_grant,
    an_ended_session,
    an_entry_of_a_limit,
    an_unused_client,
    rolled_up,
)
from tests.integration.state.pieces import (
    CLIENT_ID,
    DAY,
    HOUR,
    REQUEST,
    a_hash,
    add_client,
    add_grant,
    add_session,
    rotate,
    value,
)
from tests.support.clock import DatabaseClock

BY_NAME = {rule.name: rule for rule in RULES}
SLIDING_SECONDS = 30 * DAY
AN_HOUR: Final = "INSERT INTO app.usage_hours SELECT app.now(), 't', 'f', 'ok', 1,1,1,1,1,1,1,1,1,1"
AN_HOUR_ROLLED: Final = "INSERT INTO app.usage_rolled SELECT 'hour', app.now()"
A_DAY_ROLLED: Final = "INSERT INTO app.usage_rolled SELECT 'day', app.now()"
A_DAY: Final = "INSERT INTO app.usage_days SELECT app.now(), 't', 'f', 'ok', 1,1,1,1,1,1,1,1,1,1"
PEOPLE: Final = "INSERT INTO app.usage_day_people SELECT app.now(), 1, 'all', 1, 1"
ACCESS: Final = "INSERT INTO app.usage_day_access SELECT app.now(), 'free', 1, 1, 1, 1"
CONTENT: Final = "INSERT INTO app.usage_day_content SELECT app.now(), '7', 1, 1, 1, 1"
QUERIES: Final = "INSERT INTO app.usage_day_queries SELECT app.now(), 'q', 1, 1, 1, 1"


async def apply(database: Database, rule: RetentionRule, *, limit: int = 100) -> int:
    async with database.transaction() as tx:
        return await purge(tx, rule, limit=limit)


async def apply_all(database: Database) -> dict[str, int]:
    done = {rule.name: await apply(database, rule) for rule in RULES}
    return {name: deleted for name, deleted in done.items() if deleted}


@dataclass(frozen=True)
class Due:
    """``make`` adds the one row that ``rule`` deletes after so many seconds, and not before."""

    rule: str
    make: Callable[[Database], Awaitable[None]]
    after_seconds: int
    slack_seconds: int = 60


CASES = [
    Due("rate_limits_full", an_entry_of_a_limit, 60, slack_seconds=30),
    Due("sign_ins_expired", a_sign_in, SIGN_IN_SECONDS_MAX + HOUR),
    Due("account_sign_ins_expired", an_account_sign_in, SIGN_IN_SECONDS_MAX),
    Due("account_visits_over", a_visit, VISIT_IDLE_SECONDS_MAX),
    Due("authorization_codes_spent", a_used_code, CODE_SECONDS_MAX + DAY, slack_seconds=30),
    Due("access_tokens_expired", an_access_token, HOUR + DAY),
    Due("refresh_tokens_expired", a_used_refresh_token, SLIDING_SECONDS + DAY),
    Due("sessions_over", an_ended_session, 90 * DAY),
    Due("sessions_over", a_session_never_ended, 180 * DAY),
    Due("browser_approvals_expired", an_approval, HOUR),
    Due("refresh_attempts_old", an_attempt, 7 * DAY),
    Due("grants_ended", an_ended_grant, 90 * DAY),
    Due("discarded_pairs_worthless", a_pair_that_could_not_be_burnt, 180 * DAY),
    Due("people_unseen", a_person_without_a_grant, 90 * DAY),
    Due("clients_unused", an_unused_client, DAY),
    Due("clients_left", a_client_without_a_grant, 396 * DAY, slack_seconds=4 * DAY),
    Due("client_documents_old", a_document_once_good, 31 * DAY),
    Due("client_documents_old", a_document_never_had, HOUR),
    Due("client_key_sets_old", a_set_of_keys, 2 * DAY),
    Due("client_document_hosts_quiet", a_fetch, HOUR),
    Due("assertion_ids_expired", a_used_assertion, 100 + HOUR),
    Due("tool_catalogue_old", a_list_of_tools, 30 * DAY),
    Due("calls_in_flight_lost", a_call_never_closed, 30 + HOUR, slack_seconds=20),
    Due("session_networks_old", a_network_of_a_session, DAY),
    Due("content_shown_old", a_copy, DAY),
    Due("kept_searches_old", a_page_of_results, DAY),
    Due("content_bodies_unread", a_body_nobody_reaches, HOUR),
    Due("usage_events_old", a_call, 90 * DAY),
    Due("searches_shown_old", a_search_and_what_it_found, HOUR),
    Due("content_titles_unseen", a_title, 396 * DAY, slack_seconds=4 * DAY),
    Due("usage_hours_old", rolled_up(AN_HOUR), 396 * DAY, slack_seconds=4 * DAY),
    Due("usage_rolled_old", rolled_up(AN_HOUR_ROLLED), 396 * DAY, slack_seconds=4 * DAY),
    Due("usage_rolled_old", rolled_up(A_DAY_ROLLED), 1_826 * DAY, slack_seconds=4 * DAY),
    Due("usage_days_old", rolled_up(A_DAY), 1_826 * DAY, slack_seconds=4 * DAY),
    Due("usage_day_people_old", rolled_up(PEOPLE), 1_826 * DAY, slack_seconds=4 * DAY),
    Due("usage_day_access_old", rolled_up(ACCESS), 1_826 * DAY, slack_seconds=4 * DAY),
    Due("usage_day_content_old", rolled_up(CONTENT), 1_826 * DAY, slack_seconds=4 * DAY),
    Due("usage_day_queries_old", rolled_up(QUERIES), 396 * DAY, slack_seconds=4 * DAY),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.make.__name__)
async def test_a_row_goes_when_it_is_due_and_not_before(
    database: Database, clock: DatabaseClock, case: Due
) -> None:
    rule = BY_NAME[case.rule]
    await case.make(database)
    clock.advance(case.after_seconds - case.slack_seconds)
    before = await apply(database, rule)
    clock.advance(2 * case.slack_seconds)

    assert (before, await apply(database, rule)) == (0, 1)
    assert await apply(database, rule) == 0


def test_every_rule_is_tried_here() -> None:
    assert {case.rule for case in CASES} == set(BY_NAME)


async def test_a_batch_is_bounded_and_the_rest_goes_with_the_next(
    database: Database, clock: DatabaseClock
) -> None:
    for number in range(25):
        await add_client(database, f"client-{number}")
    clock.advance(DAY + 5)

    deleted = [await apply(database, BY_NAME["clients_unused"], limit=10) for _ in range(4)]

    assert deleted == [10, 10, 5, 0]


async def test_a_row_that_somebody_holds_is_left_for_the_next_time(
    database: Database, clock: DatabaseClock
) -> None:
    client_id = await add_client(database)
    await add_client(database, "another")
    clock.advance(DAY + 5)

    async with database.transaction() as tx:
        await clients.mark_used(tx, client_id)
        meanwhile = asyncio.create_task(apply(database, BY_NAME["clients_unused"]))
        assert await asyncio.wait_for(meanwhile, timeout=5) == 1

    assert await value(database, "SELECT client_id FROM app.clients") == client_id


async def test_a_used_code_is_known_for_a_day(database: Database, clock: DatabaseClock) -> None:
    code_hash = await add_code(database)
    clock.advance(CODE_SECONDS_MAX - 5)
    async with database.transaction() as tx:
        first = await authorization_codes.take(tx, code_hash=code_hash)
    clock.advance(DAY - 5)
    await apply_all(database)
    async with database.transaction() as tx:
        again = await authorization_codes.take(tx, code_hash=code_hash)

    assert first is not None
    assert not first.expired
    assert again is not None
    assert again.replayed


async def test_a_code_nobody_redeemed_stays_until_its_grant_has_ended(
    database: Database, clock: DatabaseClock
) -> None:
    rule = BY_NAME["authorization_codes_spent"]
    await add_code(database)
    clock.advance(3 * DAY)
    before = await apply(database, rule)
    async with database.transaction() as tx:
        (grant_id,) = await grants.lock_lapsed(tx, limit=5)
        await grants.end(tx, grant_id=grant_id, cause=EndCause.EXPIRED)

    assert (before, await apply(database, rule)) == (0, 1)


async def test_a_refresh_token_used_in_its_last_minute_gives_its_answer_again_for_a_day(
    database: Database, clock: DatabaseClock
) -> None:
    session = await add_session(database)
    clock.advance(SLIDING_SECONDS - 60)
    async with database.transaction() as tx:
        await sessions.lock_refresh_token(tx, session.refresh_hash)
        await rotate(tx, session)
    clock.advance(DAY - 60)
    await apply_all(database)

    async with database.transaction() as tx:
        found = await sessions.lock_refresh_token(tx, session.refresh_hash)
    assert found is not None
    assert decide_rotation(found.session, found.state, now=found.now) is RotationDecision.REPLAY


async def test_the_last_token_of_a_family_stays_until_the_family_has_ended(
    database: Database, clock: DatabaseClock
) -> None:
    rule = BY_NAME["refresh_tokens_expired"]
    session = await add_session(database)
    clock.advance(SLIDING_SECONDS + 2 * DAY)
    before = await apply(database, rule)
    async with database.transaction() as tx:
        await sessions.end(tx, session_id=session.session_id, cause=EndCause.EXPIRED)

    assert (before, await apply(database, rule)) == (0, 1)


async def test_an_ended_grant_stays_until_the_site_was_told(
    database: Database, clock: DatabaseClock
) -> None:
    rule = BY_NAME["grants_ended"]
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        await grants.end(tx, grant_id=grant_id, cause=EndCause.EXPIRED)
    clock.advance(400 * DAY)
    before = await apply(database, rule)
    async with database.transaction() as tx:
        await grants.forget_pair(tx, grant_id)

    assert (before, await apply(database, rule)) == (0, 1)


async def test_a_client_with_a_grant_stays_however_old(
    database: Database, clock: DatabaseClock
) -> None:
    await add_grant(database)
    async with database.transaction() as tx:
        await clients.mark_used(tx, ClientId(CLIENT_ID))
    clock.advance(400 * DAY)

    assert await apply(database, BY_NAME["clients_left"]) == 0


async def test_a_blocked_client_stays_and_its_block_with_it(
    database: Database, clock: DatabaseClock
) -> None:
    client_id = await add_client(database)
    async with database.transaction() as tx:
        assert await containments.block(tx, client_id)
    clock.advance(400 * DAY)

    assert await apply(database, BY_NAME["clients_unused"]) == 0
    async with database.transaction() as tx:
        assert await containments.unblock(tx, client_id)
    assert await apply(database, BY_NAME["clients_unused"]) == 1


async def test_a_client_in_use_stays(database: Database, clock: DatabaseClock) -> None:
    await add_client(database, "used")
    async with database.transaction() as tx:
        await clients.mark_used(tx, ClientId("used"))
    await add_grant(database)
    clock.advance(400 * DAY)

    assert await apply(database, BY_NAME["clients_unused"]) == 0


async def test_a_client_with_which_somebody_is_signing_in_stays_until_that_is_over(
    database: Database, clock: DatabaseClock
) -> None:
    await add_client(database)
    clock.advance(DAY - 60)
    async with database.transaction() as tx:
        await sign_ins.begin(
            tx,
            sign_in_id=SignInId(new_id()),
            browser_hash=a_hash(),
            consent_hash=a_hash(),
            request=REQUEST,
        )
    clock.advance(120)

    assert await apply(database, BY_NAME["clients_unused"]) == 0
    clock.advance(SIGN_IN_SECONDS_MAX + HOUR)
    assert await apply_all(database) == {"sign_ins_expired": 1, "clients_unused": 1}


async def test_a_session_in_use_is_untouched_by_every_rule(
    database: Database, clock: DatabaseClock
) -> None:
    session = await add_session(database)
    async with database.transaction() as tx:
        await clients.mark_used(tx, CLIENT_ID)
    clock.advance(HOUR)

    assert await apply_all(database) == {}
    async with database.autocommit() as tx:
        assert await sessions.access_token_lives(tx, session.access_hash)


async def test_an_ended_grant_is_gone_in_the_end_with_its_person_and_leaves_only_keys(
    database: Database, clock: DatabaseClock
) -> None:
    session = await a_rotated_session(database)
    async with database.transaction() as tx:
        await grants.end(tx, grant_id=session.grant_id, cause=EndCause.REVOKED_BY_CLIENT)
        await grants.forget_pair(tx, session.grant_id)
    clock.advance(91 * DAY)

    done = await apply_all(database)

    assert set(done) == {
        "access_tokens_expired",
        "refresh_tokens_expired",
        "sessions_over",
        "grants_ended",
        "people_unseen",
        "clients_unused",
    }
    assert await value(database, "SELECT count(*) FROM app.grants") == 0
    assert await value(database, "SELECT count(*) FROM app.users") == 0
    assert await value(database, "SELECT count(*) FROM app.data_keys") == 1


async def test_a_person_who_comes_back_in_time_is_remembered(
    database: Database, clock: DatabaseClock
) -> None:
    await a_person_without_a_grant(database)
    clock.advance(89 * DAY)
    await a_person_without_a_grant(database)
    clock.advance(89 * DAY)

    assert await apply(database, BY_NAME["people_unseen"]) == 0


async def test_a_person_with_a_grant_is_remembered_however_long_ago_the_last_sign_in(
    database: Database, clock: DatabaseClock
) -> None:
    await add_grant(database)
    clock.advance(400 * DAY)

    assert await apply(database, BY_NAME["people_unseen"]) == 0
