"""Tool calls through the composed function: its own database role, real keys, the fake site."""

import asyncio
from dataclasses import replace

import pytest

from shared.domain.sessions import EndCause
from shared.domain.tokens import TokenKind, mint
from shared.state import grants, sessions
from tests.integration.mcp_endpoint.pieces import CLIENT_NAME, a_stack
from tests.support.clock import DatabaseClock
from tests.unit.mcp_endpoint.pieces import MODES, tool_call

SEARCH = tool_call("search_tutorials", {"query": "module"})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dialect", [5, 6])
async def test_a_person_searches_and_reads_with_their_own_account(
    database_url: str, kms_key_id: str, dialect: int, mode: str
) -> None:
    async with a_stack(database_url, kms_key_id, dialect=dialect) as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya, mode=mode) as client:
            found = await client.call_tool("search_tutorials", {"query": "module", "limit": 2})
            hits = found.structured_content["results"]
            read = await client.call_tool("get_tutorial", {"id": hits[0]["id"]})
            status = await client.call_tool("account_status")
        usage = await stack.usage()
        async with stack.database.autocommit() as tx:
            search, reading, _ = await tx.rows("SELECT * FROM app.usage_events ORDER BY event_id")

    assert len(hits) == 2
    assert found.structured_content["next_offset"] == 2
    assert read.structured_content["title"] == hits[0]["title"]
    assert len(read.structured_content["markdown"]) > 100
    assert "<p>" not in read.structured_content["markdown"]
    assert status.structured_content["account_id"] == "2"
    assert status.structured_content["client_name"] == CLIENT_NAME
    assert usage == [
        ("search_tutorials", "ok", None, 2),
        ("get_tutorial", "ok", hits[0]["id"], 1),
        ("account_status", "ok", None, None),
    ]
    assert (search["query"], search["first_rank"], search["may_read"]) == ("module", 1, True)
    assert (reading["search_id"], reading["search_rank"]) == (search["event_id"], 1)
    assert (search["entitlement"], reading["entitlement"]) == ("unasked", "allowed")


async def test_an_expired_site_token_is_renewed_within_the_call(
    database_url: str, kms_key_id: str, clock: DatabaseClock
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        clock.advance(3_600)
        stack.site.control.advance(3_600)
        answer = await stack.post(SEARCH, maya.token)
        async with stack.database.autocommit() as tx:
            grant = await grants.find(tx, maya.grant_id)

    assert answer.json()["result"]["isError"] is False
    assert grant is not None
    assert grant.pair_generation == 2


async def test_an_account_saved_on_the_site_costs_one_renewal_and_no_sign_in(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.save_user("maya")
        answer = await stack.post(SEARCH, maya.token)

    assert answer.json()["result"]["isError"] is False


async def test_a_blocked_account_is_a_tool_error_and_shows_in_the_status(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.block_user("maya")
        answer = await stack.post(SEARCH, maya.token)
        status = await stack.post(tool_call("account_status"), maya.token)

    error = answer.json()["result"]["structuredContent"]["error"]
    assert (answer.status_code, error["code"]) == (200, "account_unavailable")
    assert status.json()["result"]["structuredContent"]["site_connection"] == "suspended"


async def test_a_grant_that_the_site_took_back_is_a_401(
    database_url: str, kms_key_id: str, clock: DatabaseClock
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        clock.advance(3_600)
        # Past the life of the refresh token too.
        stack.site.control.advance(60 * 86_400)
        answer = await stack.post(SEARCH, maya.token)
        again = await stack.post(SEARCH, maya.token)

    for refused in (answer, again):
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert refused.json()["error"]["data"]["code"] == "grant_ended"


async def test_member_content_is_refused_to_a_free_account_with_guidance(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        items = stack.site.site.content
        items["9001"] = replace(items["101"], content_id="9001", member_only=True)
        felix = await stack.sign_in("felix")
        answer = await stack.post(tool_call("get_tutorial", {"id": "9001"}), felix.token)

    error = answer.json()["result"]["structuredContent"]["error"]
    assert (error["code"], error["guidance"]) == ("subscription_required", "subscribe")


async def test_unknown_content_is_a_tool_error(database_url: str, kms_key_id: str) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        answer = await stack.post(tool_call("get_tutorial", {"id": "999999"}), maya.token)

    error = answer.json()["result"]["structuredContent"]["error"]
    assert (error["code"], error["guidance"]) == ("content_not_found", "change_arguments")


async def test_a_site_in_maintenance_is_a_tool_error_with_a_time(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.fail("maintenance_html", route="jsonrpc", times=3)
        answer = await stack.post(SEARCH, maya.token)

    error = answer.json()["result"]["structuredContent"]["error"]
    assert (error["code"], error["retry_after_seconds"]) == ("upstream_maintenance", 120)


async def test_progress_arrives_while_the_site_holds_its_answer(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        reported = asyncio.Event()

        async def on_progress(
            progress: float,
            total: float | None,
            message: str | None,
        ) -> None:
            reported.set()

        gate = stack.site.control.hold(route="jsonrpc")
        async with stack.client(maya) as client:
            calling = asyncio.create_task(
                client.call_tool(
                    "search_tutorials", {"query": "module"}, progress_callback=on_progress
                )
            )
            await asyncio.wait_for(reported.wait(), timeout=10)
            gate.release()
            result = await calling

    assert not result.is_error


@pytest.mark.parametrize("ended", ["session", "grant", "client blocked"])
async def test_an_ended_session_is_refused_at_the_next_request(
    database_url: str, kms_key_id: str, ended: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        async with stack.database.transaction() as tx:
            cause = EndCause.REVOKED_BY_CLIENT
            if ended == "session":
                await sessions.end(tx, session_id=maya.session_id, cause=cause)
            elif ended == "grant":
                await grants.end(tx, grant_id=maya.grant_id, cause=cause)
            else:
                await tx.execute("UPDATE app.clients SET blocked_at = app.now()")
        answer = await stack.post(SEARCH, maya.token)

    assert answer.status_code == 401
    assert answer.json()["error"]["data"]["code"] == "grant_ended"


async def test_an_access_token_expires_by_database_time(
    database_url: str, kms_key_id: str, clock: DatabaseClock
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        clock.advance(28_801)
        answer = await stack.post(SEARCH, maya.token)

    assert answer.status_code == 401
    assert answer.json()["error"]["data"]["code"] == "access_token_expired"


async def test_a_token_for_another_resource_is_refused(database_url: str, kms_key_id: str) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya", resource="https://other.example.org/mcp")
        answer = await stack.post(SEARCH, maya.token)

    assert answer.status_code == 401
    assert answer.json()["error"]["data"]["code"] == "audience_mismatch"


async def test_a_database_that_is_away_is_a_503_and_no_sign_out(kms_key_id: str) -> None:
    nowhere = "host=127.0.0.1 port=1 dbname=none connect_timeout=1"
    async with a_stack(nowhere, kms_key_id) as stack:
        answer = await stack.post(SEARCH, mint(TokenKind.ACCESS))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"]["data"]["code"] == "database_unavailable"


async def test_people_who_call_at_once_see_their_own_account(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        names = ("maya", "felix", "lena", "edith")
        people = [await stack.sign_in(name) for name in names]
        answers = await asyncio.gather(
            *(stack.post(tool_call("account_status"), person.token) for person in people * 4)
        )

    accounts = [answer.json()["result"]["structuredContent"]["account_id"] for answer in answers]
    assert accounts == ["2", "3", "4", "6"] * 4


async def test_one_persons_slow_calls_leave_the_others_theirs(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya, felix = await stack.sign_in("maya"), await stack.sign_in("felix")
        gate = stack.site.control.hold(route="jsonrpc", times=5)
        posts = [asyncio.create_task(stack.post(SEARCH, maya.token)) for _ in range(6)]
        done, slow = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        (sixth,) = [post.result() for post in done]
        other = asyncio.create_task(stack.post(SEARCH, felix.token))
        gate.release()
        answers = await asyncio.gather(*slow, other)
        after = await stack.post(SEARCH, maya.token)

    refused = sixth.json()["result"]["structuredContent"]["error"]
    assert (refused["code"], refused["retry_after_seconds"]) == ("too_many_calls_at_once", 2)
    assert [answer.json()["result"]["isError"] for answer in (*answers, after)] == [False] * 7
