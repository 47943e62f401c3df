"""Rows of every kind that a retention rule deletes, as the functions write them."""

from collections.abc import Awaitable, Callable
from typing import LiteralString

from shared.domain.client_documents import DocumentContent
from shared.domain.content import SearchQuery
from shared.domain.identifiers import CallId, SignInId, UpstreamSubject, UserId, new_id
from shared.domain.rate_limits import RATE_LIMITS, LimitName
from shared.domain.sessions import EndCause
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
    content_cache,
    discarded_pairs,
    grants,
    kept_searches,
    rate_limits,
    refresh_attempts,
    session_networks,
    sessions,
    sign_ins,
    tool_catalogue,
    users,
)
from shared.state.assertion_ids import AssertionUse
from shared.state.calls import Admission, EndedCall, UsageRow
from shared.state.database import Database
from tests.integration.state.pieces import (
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


async def a_network_of_a_session(database: Database) -> None:
    session = await add_session(database)
    async with database.transaction() as tx:
        await session_networks.note(tx, session.session_id, "198.51.100.0/24")


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


async def a_copy(database: Database) -> None:
    row = await grant_row(database, await add_grant(database))
    async with database.autocommit() as tx:
        await content_cache.note(tx, UserId(row["user_id"]), "7", "what was shown")


async def a_page_of_results(database: Database) -> None:
    row = await grant_row(database, await add_grant(database))
    async with database.autocommit() as tx:
        query = SearchQuery(keywords="views")
        await kept_searches.keep(tx, UserId(row["user_id"]), query, "what was found")


async def a_body_nobody_reaches(database: Database) -> None:
    async with database.autocommit() as tx:
        await tx.execute("SELECT app.store_body('what was shown')")


async def a_search_and_what_it_found(database: Database) -> None:
    async with database.autocommit() as tx:
        await tx.execute(
            "INSERT INTO app.searches_shown (search_id, user_id, first_rank, content_ids)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), 1, '{7}')"
        )


async def a_title(database: Database) -> None:
    async with database.autocommit() as tx:
        await tx.execute("INSERT INTO app.content_titles (content_id, title) VALUES ('7', 'T')")


def rolled_up(statement: LiteralString) -> Callable[[Database], Awaitable[None]]:
    """Adds a roll-up of this moment; ``statement`` names table and columns."""

    async def a_roll_up(database: Database) -> None:
        async with database.autocommit() as tx:
            await tx.execute(statement)

    return a_roll_up
