"""Every rule deletes what is due and nothing a moment earlier, a batch at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from shared.domain.account_page import VISIT_IDLE_SECONDS_MAX
from shared.domain.client_documents import DocumentContent
from shared.domain.identifiers import CallId, ClientId, SignInId, UpstreamSubject, UserId, new_id
from shared.domain.rate_limits import RATE_LIMITS, LimitName
from shared.domain.sessions import EndCause, RotationDecision, decide_rotation
from shared.domain.sign_ins import CODE_SECONDS_MAX, SIGN_IN_SECONDS_MAX
from shared.domain.site_tools import SiteToolList
from shared.domain.tokens import TokenHash, TokenKind
from shared.state import (
    account_sign_ins,
    account_visits,
    assertion_ids,
    authorization_codes,
    calls,
    client_documents,
    client_key_sets,
    clients,
    discarded_pairs,
    grants,
    rate_limits,
    refresh_attempts,
    sessions,
    sign_ins,
    tool_catalogue,
    users,
)
from shared.state.assertion_ids import AssertionUse
from shared.state.calls import Admission, EndedCall, UsageRow
from shared.state.database import Database
from shared.state.retention import RULES, RetentionRule, purge
from tests.integration.state.pieces import (
    CLIENT_ID,
    DAY,
    HOUR,
    REQUEST,
    RESOURCE,
    StoredSession,
    a_hash,
    add_client,
    add_grant,
    add_session,
    grant_row,
    rotate,
    value,
)
from tests.support.clock import DatabaseClock

BY_NAME = {rule.name: rule for rule in RULES}
SLIDING_SECONDS = 30 * DAY


async def apply(database: Database, rule: RetentionRule, *, limit: int = 100) -> int:
    async with database.transaction() as tx:
        return await purge(tx, rule, limit=limit)


async def apply_all(database: Database) -> dict[str, int]:
    done = {rule.name: await apply(database, rule) for rule in RULES}
    return {name: deleted for name, deleted in done.items() if deleted}


async def a_sign_in(database: Database) -> None:
    client_id = await add_client(database)
    async with database.transaction() as tx:
        await clients.mark_used(tx, client_id)
        await sign_ins.begin(
            tx,
            sign_in_id=SignInId(new_id()),
            browser_hash=a_hash(),
            consent_hash=a_hash(),
            request=REQUEST,
        )


async def an_account_sign_in(database: Database) -> None:
    async with database.transaction() as tx:
        await account_sign_ins.begin(tx, state_hash=a_hash(), browser_hash=a_hash())


async def a_visit(database: Database) -> None:
    row = await grant_row(database, await add_grant(database))
    async with database.transaction() as tx:
        await account_visits.open_visit(tx, visit_hash=a_hash(), user_id=row["user_id"])


async def add_code(database: Database) -> TokenHash:
    grant_id, code_hash = await add_grant(database), a_hash(TokenKind.CODE)
    async with database.transaction() as tx:
        await authorization_codes.add(tx, code_hash=code_hash, grant_id=grant_id, request=REQUEST)
    return code_hash


async def a_used_code(database: Database) -> None:
    code_hash = await add_code(database)
    async with database.transaction() as tx:
        await authorization_codes.take(tx, code_hash=code_hash)


async def an_access_token(database: Database) -> None:
    await add_session(database, access_seconds=HOUR)


async def a_rotated_session(database: Database) -> StoredSession:
    session = await add_session(database)
    async with database.transaction() as tx:
        await sessions.lock_refresh_token(tx, session.refresh_hash)
        await rotate(tx, session)
    return session


async def a_used_refresh_token(database: Database) -> None:
    await a_rotated_session(database)


async def an_ended_session(database: Database) -> None:
    session = await add_session(database)
    async with database.transaction() as tx:
        await sessions.end(tx, session_id=session.session_id, cause=EndCause.REVOKED_BY_CLIENT)


async def a_session_never_ended(database: Database) -> None:
    await add_session(database)


async def an_approval(database: Database) -> None:
    await add_client(database)
    async with database.transaction() as tx:
        await sign_ins.approve_in_browser(tx, browser_hash=a_hash(), request=REQUEST, seconds=HOUR)


async def an_attempt(database: Database) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        await refresh_attempts.begin(tx, attempt_id=new_id(), grant_id=grant_id, pair_generation=1)


async def an_ended_grant(database: Database) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        await grants.end(tx, grant_id=grant_id, cause=EndCause.EXPIRED)
        await grants.forget_pair(tx, grant_id)


async def an_unused_client(database: Database) -> None:
    await add_client(database)


async def a_document_once_good(database: Database) -> None:
    content = DocumentContent(client_name="App", redirect_uris=("https://app.example/callback",))
    async with database.transaction() as tx:
        await client_documents.store(tx, "https://app.example/c.json", content, fresh_seconds=1)


async def a_document_never_had(database: Database) -> None:
    async with database.transaction() as tx:
        await client_documents.store_failure(
            tx, "https://app.example/c.json", fault="status", retry_seconds=1
        )


async def a_set_of_keys(database: Database) -> None:
    async with database.transaction() as tx:
        await client_key_sets.store(tx, "https://app.example/keys", {"keys": []}, fresh_seconds=1)


async def a_fetch(database: Database) -> None:
    async with database.transaction() as tx:
        assert await client_documents.count_fetch(tx, "app.example") == 1


async def a_used_assertion(database: Database) -> None:
    client_id = await add_client(database)
    now = await value(database, "SELECT extract(epoch FROM app.now())::float8")
    use = AssertionUse(
        client_id=client_id, jti="1", request_id=new_id(), expires_at=now + 100, valid_from=0
    )
    async with database.transaction() as tx:
        assert await assertion_ids.accept(tx, use)


async def a_client_without_a_grant(database: Database) -> None:
    client_id = await add_client(database)
    async with database.transaction() as tx:
        await clients.mark_used(tx, client_id)


async def a_list_of_tools(database: Database) -> None:
    row = await grant_row(database, await add_grant(database))
    async with database.transaction() as tx:
        listed = SiteToolList(tools=(), names={}, listed_at=row["created_at"])
        await tool_catalogue.store(tx, row["user_id"], listed)


async def a_person_without_a_grant(database: Database) -> None:
    async with database.transaction() as tx:
        await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site="https://site.example",
            subject=UpstreamSubject("17"),
            salt=bytes(32),
        )


async def an_entry_of_a_limit(database: Database) -> None:
    async with database.transaction() as tx:
        limit = RATE_LIMITS[LimitName.REGISTER_BY_ADDRESS]
        assert await rate_limits.take(tx, limit, "198.51.100.7") == 0


async def a_pair_that_could_not_be_burnt(database: Database) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        grant = await grants.find(tx, grant_id)
        assert grant is not None
        await discarded_pairs.add(
            tx, pair_id=new_id(), user_id=grant.user_id, pair=grant.pair, seconds=0
        )


async def a_call(database: Database) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        await calls.close(
            tx,
            EndedCall(
                user_id=UserId(new_id()),
                grant_id=grant_id,
                call_id=None,
                usage=UsageRow(
                    tool="search_tutorials",
                    outcome="ok",
                    content_id=None,
                    result_count=1,
                    duration_milliseconds=1,
                ),
            ),
        )


async def a_call_never_closed(database: Database) -> None:
    session = await add_session(database)
    async with database.autocommit() as tx:
        await calls.authenticate(
            tx,
            session.access_hash,
            Admission(
                call_id=CallId(new_id()),
                limit=LimitName.SEARCHES_BY_PERSON,
                resource=RESOURCE,
                slots=5,
                lasts_seconds=30.0,
            ),
        )


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
    Due("usage_events_old", a_call, 396 * DAY, slack_seconds=4 * DAY),
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
