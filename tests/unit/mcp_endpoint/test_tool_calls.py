"""What becomes of a tool that fails, waits too long or cannot be noted."""

import asyncio
import logging
from dataclasses import replace
from functools import partial

import pytest

from functions.mcp_endpoint.admission import WORK_SECONDS_MIN
from functions.mcp_endpoint.tool_errors import PersonPages, as_tool_result
from functions.mcp_endpoint.waiting import ANSWER_MARGIN_SECONDS
from shared.domain.identifiers import UpstreamSubject
from shared.domain.usage import Entitlement
from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.upstream.failures import AccessForbiddenError, ContentNotFoundError
from tests.unit.mcp_endpoint.pieces import MEMBERSHIP_URL, a_call, an_endpoint, tool_call

READ = tool_call("get_tutorial", {"id": "7"})


def _error(code: ErrorCode, *, retry_after_seconds: int | None = None) -> ServiceError:
    kind = type("FailureError", (ServiceError,), {"code": code})
    error: ServiceError = kind({"detail": "secret-detail"}, retry_after_seconds=retry_after_seconds)
    return error


@pytest.mark.parametrize(
    "code", [code for code, entry in CATALOGUE.items() if entry.http_status != 401]
)
async def test_an_error_is_a_result_with_text_next_step_and_correlation_id(
    code: ErrorCode,
) -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.failure = _error(code, retry_after_seconds=7)
        answer = await endpoint.post(READ, endpoint.bearers.issue())

    result = answer.json()["result"]
    assert (answer.status_code, result["isError"]) == (200, True)
    error = result["structuredContent"]["error"]
    assert (error["code"], error["retry_after_seconds"]) == (code.value, 7)
    text = result["content"][0]["text"]
    assert text.startswith(CATALOGUE[code].message)
    assert f"What to do: {error['what_to_do']}" in text
    assert "Try again in 7 seconds." in text
    assert "correlation id" in text
    assert "secret-detail" not in answer.text
    assert [row.outcome for row in endpoint.usage] == [code.value]


async def test_an_unforeseen_error_tells_nothing_of_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.failure = RuntimeError("SELECT secret")
        with caplog.at_level(logging.ERROR):
            answer = await endpoint.post(READ, endpoint.bearers.issue())

    assert answer.json()["result"]["structuredContent"]["error"]["code"] == "internal_error"
    assert "SELECT" not in answer.text
    assert "tool failed unexpectedly" in caplog.messages


async def test_a_tool_is_stopped_before_the_request_runs_out_of_time() -> None:
    at_first = iter([ANSWER_MARGIN_SECONDS + WORK_SECONDS_MIN])
    remaining = partial(next, at_first, ANSWER_MARGIN_SECONDS + 0.05)
    async with an_endpoint(remaining=remaining) as endpoint:
        endpoint.site.gate.clear()
        answer = await endpoint.post(READ, endpoint.bearers.issue())

    error = answer.json()["result"]["structuredContent"]["error"]
    assert (error["code"], error["guidance"]) == ("deadline_exceeded", "retry_later")


async def test_a_time_out_of_the_site_is_not_mistaken_for_our_own() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.failure = TimeoutError()
        answer = await endpoint.post(READ, endpoint.bearers.issue())

    assert answer.json()["result"]["structuredContent"]["error"]["code"] == "internal_error"


async def test_a_call_is_noted_with_what_it_found() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        await endpoint.post(tool_call("search_tutorials", {"query": "views"}), token)
        await endpoint.post(READ, token)
        await endpoint.post(tool_call("account_status"), token)
        await endpoint.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, token)

    rows = [(row.tool, row.outcome, row.content_id, row.result_count) for row in endpoint.usage]
    assert rows == [
        ("search_tutorials", "ok", None, 10),
        ("get_tutorial", "ok", "7", 1),
        ("account_status", "ok", None, None),
    ]
    search, reading, status = endpoint.usage
    assert search.searched is not None
    assert (search.searched.query, search.searched.offset) == ("views", 0)
    assert search.searched.content_ids == tuple(str(number) for number in range(1, 11))
    told = [(row.entitlement, row.may_read, row.continues) for row in (search, reading, status)]
    assert told == [
        (Entitlement.UNASKED, True, False),
        (Entitlement.ALLOWED, True, False),
        (Entitlement.UNASKED, True, False),
    ]


async def test_a_refused_reading_is_noted_with_what_was_refused() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        for failure in (AccessForbiddenError(), ContentNotFoundError()):
            endpoint.site.failure = failure
            await endpoint.post(READ, token)

    rows = [(row.outcome, row.content_id, row.entitlement) for row in endpoint.usage]
    assert rows == [
        ("subscription_required", "7", Entitlement.REFUSED),
        ("content_not_found", None, Entitlement.UNASKED),
    ]


async def test_the_next_part_of_a_tutorial_is_no_new_reading() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        await endpoint.post(READ, token)
        await endpoint.post(tool_call("get_tutorial", {"id": "7", "continue_from": 5}), token)

    assert [row.continues for row in endpoint.usage] == [False, True]


async def test_a_usage_row_that_cannot_be_written_fails_no_call() -> None:
    async with an_endpoint() as endpoint:
        endpoint.usage_failure = UnavailableError()
        answer = await endpoint.post(READ, endpoint.bearers.issue())

    assert answer.json()["result"]["isError"] is False


async def test_a_search_goes_on_where_the_last_page_ended() -> None:
    async with an_endpoint() as endpoint:
        token, seen = endpoint.bearers.issue(), list[str]()
        offset: int | None = 0
        while offset is not None:
            arguments = {"query": "views", "limit": 10, "offset": offset, "sort": "title"}
            answer = await endpoint.post(tool_call("search_tutorials", arguments), token)
            content = answer.json()["result"]["structuredContent"]
            seen += [hit["id"] for hit in content["results"]]
            offset = content.get("next_offset")

    assert seen == [str(number) for number in range(1, 26)]
    assert [query.offset for query in endpoint.site.queries] == [0, 10, 20]
    assert endpoint.site.queries[0].sort == "title"


async def test_a_long_document_comes_in_parts_that_make_up_the_whole() -> None:
    long = "\n\n".join(f"Paragraph {number}. " + "word " * 300 for number in range(60))
    async with an_endpoint() as endpoint:
        document = endpoint.site.documents["7"]
        endpoint.site.documents["7"] = replace(document, markdown=long)
        token, parts = endpoint.bearers.issue(), list[str]()
        start: int | None = 0
        while start is not None:
            arguments = {"id": "7", "continue_from": start}
            answer = await endpoint.post(tool_call("get_tutorial", arguments), token)
            result = answer.json()["result"]
            parts.append(result["structuredContent"]["markdown"])
            start = result["structuredContent"].get("continue_from")
            said = f"continue_from {start}." in result["content"][0]["text"]
            assert said is (start is not None)

    assert "".join(parts) == long
    assert all(len(part) <= 40_000 for part in parts)
    assert all(part.endswith("\n\n") for part in parts[:-1])


async def test_a_continuation_beyond_the_end_is_a_wrong_argument() -> None:
    async with an_endpoint() as endpoint:
        arguments = {"id": "7", "continue_from": 1_000_000}
        answer = await endpoint.post(tool_call("get_tutorial", arguments), endpoint.bearers.issue())

    problems = answer.json()["result"]["structuredContent"]["error"]["problems"]
    assert problems == [
        {"field": "continue_from", "rule": "Must be less than 35, the length of this document."}
    ]


async def test_calls_at_the_same_time_keep_their_own_person() -> None:
    async with an_endpoint() as endpoint:
        tokens = []
        for number in range(8):
            call = a_call()
            grant = replace(call.grant, subject=UpstreamSubject(str(number)))
            tokens.append(endpoint.bearers.issue(replace(call, grant=grant)))
        answers = await asyncio.gather(
            *(endpoint.post(tool_call("account_status"), token) for token in tokens)
        )

    accounts = [answer.json()["result"]["structuredContent"]["account_id"] for answer in answers]
    assert accounts == [str(number) for number in range(8)]


@pytest.mark.parametrize("code", list(ErrorCode))
def test_a_page_is_named_where_the_person_can_do_something_there(code: ErrorCode) -> None:
    pages = PersonPages(account="https://oauth.example.org/account", membership=MEMBERSHIP_URL)
    error = _error(code)
    page = pages.of(error)
    result = as_tool_result(error, page=page)

    assert (page is None) == (
        code not in {ErrorCode.SUBSCRIPTION_REQUIRED, ErrorCode.ACCOUNT_UNAVAILABLE}
    )
    assert result.structured_content is not None
    assert result.structured_content["error"].get("page") == page
    assert PersonPages(account="a").of(_error(ErrorCode.SUBSCRIPTION_REQUIRED)) is None
