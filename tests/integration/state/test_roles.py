"""Each function's database role can do its function's work, and is refused the rest."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import LiteralString

import pytest
from psycopg.conninfo import make_conninfo

from shared.circuit.rules import RULES as RULES_OF_CIRCUITS
from shared.circuit.rules import fleet_terms
from shared.domain.circuits import CallReport, Dependency, ProbeOutcome, ProbeReport, ProbeTurn
from shared.domain.identifiers import GrantId, SignInId, UpstreamSubject, UserId, new_id
from shared.domain.sessions import EndCause
from shared.domain.sign_ins import SpentTime
from shared.domain.site_tools import SiteToolList
from shared.domain.tokens import TokenKind
from shared.state import (
    audit_coverage,
    authorization_codes,
    calls,
    clients,
    data_keys,
    grants,
    refresh_attempts,
    revocation_outbox,
    sessions,
    sign_ins,
    tool_catalogue,
    users,
)
from shared.state.calls import EndedCall, UsageRow
from shared.state.circuits import StoredCircuits
from shared.state.database import Database, DatabaseStatementError
from shared.state.retention import RULES, purge
from shared.state.roles import OPERATORS_ROLES, AppRole
from tests.integration.state.pieces import (
    CLIENT_ID,
    DAY,
    HOUR,
    KEY,
    NEXT_PAIR,
    PAIR,
    REQUEST,
    SITE,
    a_client,
    a_hash,
    add_grant,
    add_session,
    open_session,
    rotate,
    value,
)

As = Callable[[AppRole], Database]
REFRESHING = [AppRole.MCP_ENDPOINT, AppRole.OAUTH, AppRole.TOKEN_REFRESH, AppRole.CLEANUP]

REFUSED: dict[AppRole, tuple[LiteralString, ...]] = {
    AppRole.MCP_ENDPOINT: (
        "SELECT app.take_from_limit(decode(repeat('00', 32), 'hex'), 1, 1)",
        "SELECT token_hash FROM app.access_tokens",
        "SELECT token_hash FROM app.refresh_tokens",
        "SELECT client_id FROM app.sessions",
        "INSERT INTO app.sessions (session_id) VALUES (gen_random_uuid())",
        "UPDATE app.sessions SET absolute_expires_at = 'infinity'",
        "SELECT * FROM app.sign_ins",
        "SELECT * FROM app.authorization_codes",
        "SELECT * FROM app.clients",
        "SELECT * FROM app.usage_events",
        "DELETE FROM app.calls_in_flight",
        "SELECT * FROM app.content_shown",
        "SELECT * FROM app.session_networks",
        "SELECT * FROM app.content_bodies",
        "SELECT * FROM app.kept_searches",
        "INSERT INTO app.grants (grant_id) VALUES (gen_random_uuid())",
        "UPDATE app.grants SET user_id = gen_random_uuid()",
        "DELETE FROM app.grants",
        "INSERT INTO app.data_keys VALUES (9, 'wrapped', 'key')",
        "UPDATE app.users SET salt = ''",
        "DELETE FROM app.revocation_outbox",
        "DELETE FROM app.refresh_attempts",
        "UPDATE app.circuits SET state = 'forced_open'",
        "INSERT INTO app.circuits (dependency) VALUES ('drupal_rpc')",
        "DELETE FROM app.circuit_calls",
    ),
    AppRole.OAUTH: (
        "SELECT * FROM app.authenticate_call('x')",
        "SELECT * FROM app.rate_limits",
        "DELETE FROM app.rate_limits",
        "SELECT * FROM app.usage_events",
        "SELECT * FROM app.tool_catalogue",
        "DELETE FROM app.grants",
        "UPDATE app.grants SET user_id = gen_random_uuid()",
        "UPDATE app.data_keys SET wrapped_key = 'x'",
        "UPDATE app.users SET salt = ''",
        "UPDATE app.clients SET redirect_uris = '{https://evil.example}'",
        "DELETE FROM app.clients",
        "UPDATE app.authorization_codes SET used_at = NULL, expires_at = 'infinity'",
        "DELETE FROM app.authorization_codes",
        "UPDATE app.refresh_tokens SET expires_at = 'infinity'",
        "DELETE FROM app.refresh_tokens",
        "UPDATE app.access_tokens SET expires_at = 'infinity'",
        "DELETE FROM app.revocation_outbox",
        "UPDATE app.circuits SET state = 'forced_open'",
        "INSERT INTO app.circuits (dependency) VALUES ('drupal_rpc')",
        "DELETE FROM app.circuit_calls",
    ),
    AppRole.TOKEN_REFRESH: (
        "SELECT * FROM app.authenticate_call('x')",
        "SELECT token_hash FROM app.access_tokens",
        "SELECT token_hash FROM app.refresh_tokens",
        "SELECT * FROM app.sign_ins",
        "SELECT * FROM app.authorization_codes",
        "SELECT * FROM app.clients",
        "SELECT * FROM app.usage_events",
        "INSERT INTO app.sessions (session_id) VALUES (gen_random_uuid())",
        "INSERT INTO app.grants (grant_id) VALUES (gen_random_uuid())",
        "DELETE FROM app.grants",
        "INSERT INTO app.users (user_id) VALUES (gen_random_uuid())",
        "INSERT INTO app.data_keys VALUES (9, 'wrapped', 'key')",
        "DELETE FROM app.revocation_outbox",
        "UPDATE app.circuits SET state = 'forced_open'",
        "INSERT INTO app.circuits (dependency) VALUES ('drupal_rpc')",
        "DELETE FROM app.circuit_calls",
    ),
    AppRole.CLEANUP: (
        "SELECT * FROM app.authenticate_call('x')",
        "INSERT INTO app.grants (grant_id) VALUES (gen_random_uuid())",
        "INSERT INTO app.sessions (session_id) VALUES (gen_random_uuid())",
        "INSERT INTO app.access_tokens (token_hash) VALUES ('x')",
        "INSERT INTO app.refresh_tokens (token_hash) VALUES ('x')",
        "INSERT INTO app.authorization_codes (code_hash) VALUES ('x')",
        "INSERT INTO app.clients (client_id) VALUES ('x')",
        "INSERT INTO app.users (user_id) VALUES (gen_random_uuid())",
        "UPDATE app.users SET user_id = gen_random_uuid()",
        "UPDATE app.users SET created_at = now()",
        "UPDATE app.grants SET user_id = gen_random_uuid()",
        "UPDATE app.data_keys SET generation = 9",
        "UPDATE app.data_keys SET created_at = now()",
    ),
    AppRole.REPORT: (
        "SELECT * FROM app.usage_events",
        "SELECT * FROM app.searches_shown",
        "SELECT * FROM app.users",
        "SELECT * FROM app.grants",
        "SELECT * FROM app.sessions",
        "SELECT * FROM app.audit_events",
        "SELECT app.audit_append(gen_random_uuid(), 'x', NULL, NULL, NULL, NULL, '{}')",
        "DELETE FROM app.usage_days",
        "UPDATE app.usage_hours SET calls = 0",
        "INSERT INTO app.usage_rolled VALUES ('day', now(), now(), 0)",
    ),
    AppRole.CONTAINMENT: (
        "SELECT * FROM app.authenticate_call('x')",
        "SELECT token_hash FROM app.access_tokens",
        "SELECT token_hash FROM app.refresh_tokens",
        "SELECT code_hash FROM app.authorization_codes",
        "SELECT salt FROM app.users",
        "SELECT wrapped_key FROM app.data_keys",
        "SELECT pair_ciphertext FROM app.grants",
        "SELECT redirect_uris FROM app.clients",
        "SELECT * FROM app.audit_events",
        "SELECT * FROM app.usage_events",
        "UPDATE app.clients SET redirect_uris = '{https://evil.example}'",
        "UPDATE app.grants SET user_id = gen_random_uuid()",
        "UPDATE app.sessions SET absolute_expires_at = 'infinity'",
        "UPDATE app.revocation_outbox SET next_try_at = 'infinity'",
        "DELETE FROM app.revocation_outbox",
        "DELETE FROM app.grants",
        "DELETE FROM app.clients",
    ),
}
SPENT = SpentTime(total_milliseconds=20.0, own_milliseconds=5.0)


@pytest.fixture
async def as_role(database_url: str) -> AsyncIterator[As]:
    async with AsyncExitStack() as stack:

        def connect(role: AppRole) -> Database:
            database = Database(make_conninfo(database_url, user=role.value))
            stack.push_async_callback(database.close)
            return database

        yield connect


@pytest.mark.parametrize(
    ("role", "statement"),
    [(role, statement) for role, statements in REFUSED.items() for statement in statements],
)
async def test_what_belongs_to_another_function_is_refused(
    as_role: As, role: AppRole, statement: LiteralString
) -> None:
    with pytest.raises(DatabaseStatementError) as caught:
        async with as_role(role).autocommit() as tx:
            await tx.execute(statement)

    assert caught.value.facts["sqlstate"] == "42501"


@pytest.mark.parametrize("role", AppRole)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE app.own (n integer)",
        "DROP TABLE app.grants",
        "SELECT * FROM app.schema_migrations",
        "SET ROLE postgres",
        "COPY app.users TO PROGRAM 'cat'",
    ],
)
async def test_no_function_rules_the_schema(
    as_role: As, role: AppRole, statement: LiteralString
) -> None:
    with pytest.raises(DatabaseStatementError) as caught:
        async with as_role(role).autocommit() as tx:
            await tx.execute(statement)

    assert caught.value.facts["sqlstate"] == "42501"


@pytest.mark.parametrize("role", REFRESHING)
async def test_a_pair_is_refreshed_suspended_and_ended(
    database: Database, as_role: As, role: AppRole
) -> None:
    session = await add_session(database)
    grant_id, attempt_id = session.grant_id, new_id()
    own = as_role(role)
    async with own.transaction() as tx:
        assert await data_keys.newest(tx) == KEY
        assert await grants.claim(
            tx, grant_id=grant_id, pair_generation=1, lease_owner=new_id(), lease_seconds=12
        )
        await refresh_attempts.begin(
            tx, attempt_id=attempt_id, grant_id=grant_id, pair_generation=1
        )
    async with own.transaction() as tx:
        assert await grants.find_locked(tx, grant_id) is not None
        assert await grants.store_pair(
            tx,
            grant_id=grant_id,
            pair_generation=1,
            pair=NEXT_PAIR,
            life_seconds=HOUR,
            refresh_after_seconds=0,
        )
        await refresh_attempts.finish(tx, attempt_id=attempt_id, outcome="refreshed")
        assert not await refresh_attempts.in_doubt(
            tx, grant_id=grant_id, pair_generation=1, except_attempt_id=new_id()
        )
        await refresh_attempts.give_up(
            tx, grant_id=grant_id, pair_generation=1, older_than_seconds=0
        )
        assert await grants.due(tx, limit=1, push_seconds=60) == [(grant_id, 2)]
        await grants.back_off(tx, grant_id=grant_id, seconds=60)
        await grants.suspend(tx, grant_id=grant_id, seconds=60)
    async with own.transaction() as tx:
        assert await grants.end(tx, grant_id=grant_id, cause=EndCause.REJECTED_UPSTREAM)

    assert await value(database, "SELECT ended_cause FROM app.sessions") == "rejected_upstream"


@pytest.mark.parametrize("role", sorted(set(AppRole) - OPERATORS_ROLES))
async def test_every_function_hears_of_the_circuits_and_reports(role: AppRole, as_role: As) -> None:
    stored = StoredCircuits(as_role(role))
    dependency, owner = Dependency.DRUPAL_RPC, new_id()
    terms = fleet_terms(RULES_OF_CIRCUITS[dependency])
    assert terms is not None
    assert await stored.claim_probe(dependency, owner, terms) is ProbeTurn.GRANTED
    await stored.end_probe(dependency, owner, ProbeReport(outcome=ProbeOutcome.SUCCEEDED), terms)
    await stored.report(dependency, CallReport(calls=10, failures=10), terms)
    assert dependency in (await stored.view()).circuits


async def test_the_mcp_endpoint_answers_a_call(database: Database, as_role: As) -> None:
    session = await add_session(database)
    async with as_role(AppRole.MCP_ENDPOINT).transaction() as tx:
        found = await calls.authenticate(tx, session.access_hash)
        assert found is not None
        assert found.call is not None
        await tool_catalogue.store(
            tx,
            found.call.grant.user_id,
            SiteToolList(tools=(), names={}, listed_at=found.now),
        )
        assert await tool_catalogue.find(tx, found.call.grant.user_id) is not None
        await calls.close(
            tx,
            EndedCall(
                user_id=found.call.grant.user_id,
                grant_id=session.grant_id,
                call_id=None,
                usage=UsageRow(
                    tool="search_tutorials",
                    outcome="ok",
                    content_id=None,
                    result_count=0,
                    duration_milliseconds=1,
                ),
            ),
        )

    assert await value(database, "SELECT count(*) FROM app.usage_events") == 1


async def test_the_authorization_server_signs_somebody_in(as_role: As) -> None:
    own = as_role(AppRole.OAUTH)
    hashes = {"browser_hash": a_hash(), "consent_hash": a_hash()}
    grant_id, state_hash, code_hash = GrantId(new_id()), a_hash(), a_hash(TokenKind.CODE)
    async with own.transaction() as tx:
        await clients.add(tx, a_client(), unused_seconds=DAY)
        denied, taken = SignInId(new_id()), SignInId(new_id())
        for sign_in_id in (denied, taken):
            await sign_ins.begin(tx, sign_in_id=sign_in_id, request=REQUEST, spent=SPENT, **hashes)
        assert await sign_ins.deny(tx, sign_in_id=denied, **hashes)
        assert await sign_ins.find_for_consent(tx, sign_in_id=taken, **hashes)
        assert await sign_ins.send_upstream(
            tx, sign_in_id=taken, state_hash=state_hash, spent=SPENT, **hashes
        )
        for _ in range(2):
            await sign_ins.approve_in_browser(
                tx, browser_hash=hashes["browser_hash"], request=REQUEST, seconds=DAY
            )
        assert await sign_ins.is_approved(tx, browser_hash=hashes["browser_hash"], request=REQUEST)
    async with own.transaction() as tx:
        assert await sign_ins.take(tx, state_hash=state_hash)
        assert await data_keys.add(tx, KEY)
        user_id, _ = await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site=SITE,
            subject=UpstreamSubject("17"),
            salt=bytes(32),
        )
        await grants.create(
            tx,
            grant_id=grant_id,
            user_id=user_id,
            client_id=CLIENT_ID,
            pair=PAIR,
            life_seconds=HOUR,
            refresh_after_seconds=None,
        )
        await clients.mark_used(tx, CLIENT_ID)
        await authorization_codes.add(tx, code_hash=code_hash, grant_id=grant_id, request=REQUEST)
    async with own.transaction() as tx:
        assert await authorization_codes.take(tx, code_hash=code_hash)
        session = await open_session(tx, grant_id)
    async with own.transaction() as tx:
        assert await sessions.lock_refresh_token(tx, session.refresh_hash)
        second = await rotate(tx, session)
        assert await sessions.access_token_lives(tx, second.access_hash)
        await sessions.answer_anew(
            tx,
            presented_hash=session.refresh_hash,
            successor_sealed=b"another answer",
            access=sessions.NewAccessToken(token_hash=a_hash(), life_seconds=HOUR),
        )
        assert await sessions.find_by_token(tx, second.refresh_hash)
        assert await sessions.end(
            tx, session_id=session.session_id, cause=EndCause.REVOKED_BY_CLIENT
        )


async def test_the_cleanup_tells_the_site_and_applies_every_rule(
    database: Database, as_role: As
) -> None:
    grant_id = await add_grant(database)
    own = as_role(AppRole.CLEANUP)
    async with own.transaction() as tx:
        await grants.lock_lapsed(tx, limit=1)
        await grants.end(tx, grant_id=grant_id, cause=EndCause.EXPIRED)
        assert await revocation_outbox.due(tx, limit=1, push_seconds=60)
        await revocation_outbox.postpone(tx, grant_id=grant_id, seconds=60)
        await grants.forget_pair(tx, grant_id)
        assert await data_keys.add(
            tx, data_keys.WrappedDataKey(generation=2, wrapped_key=b"wrapped", kms_key_id="key")
        )
        assert await audit_coverage.of_a_day(tx) == []
        assert (await audit_coverage.served_in_a_day(tx)).calls == 0
        for rule in RULES:
            await purge(tx, rule, limit=10)
