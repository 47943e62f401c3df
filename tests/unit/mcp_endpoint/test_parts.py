"""Small parts on their own, where no client can bring them to their edges."""

import asyncio
import contextlib
from typing import Any

import pytest

from functions.mcp_endpoint import call_state
from functions.mcp_endpoint.answers import Message, json_answer
from functions.mcp_endpoint.bearer import AccessWithdrawnError
from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.held_response import HeldResponse
from functions.mcp_endpoint.progress import reported_wait
from functions.mcp_endpoint.tools import presentation
from shared.domain.content import FoundPage, SearchHit, SearchPage, SearchQuery
from tests.unit.mcp_endpoint.pieces import Endpoint, a_call, an_endpoint

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def _body(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


class Sent(list[Message]):
    """Collects ASGI messages."""

    async def __call__(self, message: Message) -> None:
        self.append(message)


def _held(state: CallState, sent: Sent) -> HeldResponse:
    return HeldResponse(sent, state=state, replacement=lambda: json_answer(401, {}))


async def test_a_start_waits_for_the_first_byte() -> None:
    sent, state = Sent(), CallState(call=a_call(), request_id=1)
    held = _held(state, sent)

    await held(START)
    await held(_body(b"", more=True))
    held_back = list(sent)
    await held(_body(b"a", more=True))
    await held(_body(b"b", more=False))

    assert held_back == []
    assert sent == [START, _body(b"a", more=True), _body(b"b", more=False)]
    assert state.response_started


async def test_an_answer_without_a_body_leaves_at_its_end() -> None:
    sent, state = Sent(), CallState(call=a_call(), request_id=1)
    held = _held(state, sent)

    await held(START)
    await held(_body(b"", more=False))

    assert sent == [START, _body(b"", more=False)]


async def test_nothing_of_a_replaced_answer_gets_out() -> None:
    sent, state = Sent(), CallState(call=a_call(), request_id=1)
    held = _held(state, sent)

    await held(START)
    state.withdrawn = AccessWithdrawnError()
    await held(_body(b"secret", more=True))
    await held(_body(b"secret", more=False))

    assert [message.get("status") for message in sent] == [401, None]
    assert b"secret" not in sent[1]["body"]


def test_a_scope_without_a_call_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        call_state.state_of({})


class BrokenChannel:
    """A client that has gone."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def report_progress(
        self,
        progress: float,  # noqa: ARG002 - the channel's shape
        total: float | None = None,  # noqa: ARG002 - the channel's shape
        message: str | None = None,  # noqa: ARG002 - the channel's shape
    ) -> None:
        """Fail, as a closed stream does."""
        self.asked.set()
        raise ConnectionError


async def test_a_broken_progress_channel_changes_nothing() -> None:
    channel = BrokenChannel()

    async with reported_wait(channel, first_seconds=0, next_seconds=0):
        await asyncio.wait_for(channel.asked.wait(), timeout=5)

    assert channel.asked.is_set()


class CountingChannel:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.reported: list[float] = []
        self.third = asyncio.Event()

    async def report_progress(
        self,
        progress: float,
        total: float | None = None,  # noqa: ARG002 - the channel's shape
        message: str | None = None,  # noqa: ARG002 - the channel's shape
    ) -> None:
        """Keep it."""
        self.reported.append(progress)
        if len(self.reported) == 3:
            self.third.set()


async def test_progress_rises_with_every_report() -> None:
    channel = CountingChannel()

    async with reported_wait(channel, first_seconds=0.01, next_seconds=0.02):
        await asyncio.wait_for(channel.third.wait(), timeout=5)

    assert channel.reported[:3] == pytest.approx([0.01, 0.03, 0.05])


def _post_scope(endpoint: Endpoint) -> dict[str, Any]:
    token = endpoint.bearers.issue()
    return {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {token}".encode()),
        ],
    }


async def test_a_client_that_leaves_while_sending_gets_no_answer() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async with an_endpoint() as endpoint:
        sent = Sent()
        await endpoint.app(_post_scope(endpoint), receive, sent)

    assert sent == []
    assert endpoint.bearers.lookups == 0


@pytest.mark.parametrize("version", [b"2025-11-25", b"2026-07-28"])
async def test_an_answer_that_breaks_half_way_is_not_answered_twice(version: bytes) -> None:
    ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    began: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": ping, "more_body": False}

    async def send(message: Message) -> None:
        began.append(message)
        raise ConnectionResetError

    async with an_endpoint() as endpoint:
        scope = _post_scope(endpoint)
        scope["headers"].append((b"mcp-protocol-version", version))
        with contextlib.suppress(ConnectionResetError):
            await endpoint.app(scope, receive, send)

    assert len(began) == 1


async def test_anything_but_http_is_left_alone() -> None:
    async with an_endpoint() as endpoint:
        sent = Sent()
        await endpoint.app({"type": "websocket"}, sent, sent)  # type: ignore[arg-type] # not asked

    assert sent == []


def _page(*, total: int, offset: int, summary: str | None = None) -> FoundPage:
    hit = SearchHit(content_id="1", title="One", url="https://e.org/1", summary=summary)
    page = SearchPage(hits=(hit,) if summary else (), total=total, offset=offset)
    return FoundPage(query=SearchQuery(keywords="views"), page=page)


def test_no_results_come_with_advice() -> None:
    assert (
        "Try fewer or other words"
        in presentation.search_result(_page(total=0, offset=0), keywords="views").text
    )


def test_a_page_beyond_the_last_says_how_many_there_are() -> None:
    result = presentation.search_result(_page(total=7, offset=10), keywords="views")

    assert result.text == "No more results: there are 7 in all."
    assert isinstance(result.structured, presentation.SearchOutput)
    assert result.structured.model_dump(exclude_none=True) == {
        "results": [],
        "total": 7,
        "offset": 10,
    }


def test_a_long_summary_is_cut() -> None:
    result = presentation.search_result(
        _page(total=1, offset=0, summary="x" * 2_000), keywords="views"
    )

    assert len(result.text) < 700
    assert "…" in result.text
