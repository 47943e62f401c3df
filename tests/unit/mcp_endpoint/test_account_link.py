"""The link to the account page inside a call: for whom, when, and never twice."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp import MCPError, UrlElicitationRequiredError
from mcp.client import ClientRequestContext
from mcp_types import (
    URL_ELICITATION_REQUIRED,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    TextContent,
)

from shared.errors.base import ServiceError
from shared.state.database import DatabaseUnavailableError
from shared.workflows.suspension import AccountUnavailableError
from tests.unit.mcp_endpoint.pieces import ISSUER, Endpoint, a_call, an_endpoint, tool_call

PAGE = f"{ISSUER}/account?done=account_refused"
READ = ("get_tutorial", {"id": "7"})


class Person:
    """Somebody whose client shows them links."""

    def __init__(self, endpoint: Endpoint, action: Any = "accept", *, helps: bool = False) -> None:
        self._endpoint = endpoint
        self._action = action
        self._helps = helps
        self.shown: list[ElicitRequestURLParams] = []

    async def __call__(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - the shape of a callback
        params: ElicitRequestParams,
    ) -> ElicitResult:
        """See the link, and perhaps have the account put right there."""
        assert isinstance(params, ElicitRequestURLParams)
        self.shown.append(params)
        if self._helps:
            self._endpoint.site.failure = None
        return ElicitResult(action=self._action)


async def test_a_client_of_today_is_asked_and_the_call_goes_on() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.failure = AccountUnavailableError(retry_after_seconds=300)
        person = Person(endpoint, helps=True)
        async with endpoint.client(mode="2026-07-28", opens=person) as client:
            result = await client.call_tool(*READ)

    assert not result.is_error
    assert [link.url for link in person.shown] == [PAGE]
    assert person.shown[0].message.startswith("Example does not accept your account")


@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
async def test_whoever_comes_back_without_success_is_not_asked_again(action: str) -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.failure = AccountUnavailableError(retry_after_seconds=300)
        person = Person(endpoint, action)
        async with endpoint.client(mode="2026-07-28", opens=person) as client:
            result = await client.call_tool(*READ)

    assert result.is_error
    assert len(person.shown) == 1
    assert [row.outcome for row in endpoint.usage] == ["account_unavailable"] * 2


async def test_a_client_of_2025_hears_which_link_to_open() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.failure = AccountUnavailableError(retry_after_seconds=300)
        async with endpoint.client(mode="legacy", opens=Person(endpoint)) as client:
            with pytest.raises(MCPError) as caught:
                await client.call_tool(*READ)

    asked = UrlElicitationRequiredError.from_error(caught.value.error)
    assert caught.value.code == URL_ELICITATION_REQUIRED
    assert [link.url for link in asked.elicitations] == [PAGE]
    assert asked.elicitations[0].elicitation_id


async def test_a_client_of_2025_is_not_asked_again_while_nothing_is_tried() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.failure = AccountUnavailableError({"suspended": True}, retry_after_seconds=9)
        async with endpoint.client(mode="legacy", opens=Person(endpoint)) as client:
            result = await client.call_tool(*READ)

    assert result.is_error


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_client_that_shows_no_links_gets_the_page_in_the_error(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.failure = AccountUnavailableError(retry_after_seconds=300)
        async with endpoint.client(mode=mode) as client:
            result = await client.call_tool(*READ)

    assert result.is_error
    assert result.structured_content["error"]["page"] == PAGE
    text = result.content[0]
    assert isinstance(text, TextContent)
    assert PAGE in text.text


async def test_the_link_is_offered_after_progress_too() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.failure = AccountUnavailableError(retry_after_seconds=300)
        endpoint.site.gate.clear()
        person = Person(endpoint, helps=True)

        async def told(progress: float, total: float | None, message: str | None) -> None:
            endpoint.site.gate.set()

        async with endpoint.client(mode="2026-07-28", opens=person) as client:
            result = await client.call_tool(*READ, progress_callback=told)

    assert not result.is_error
    assert len(person.shown) == 1


async def test_only_a_refused_account_leads_to_the_page() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.failure = ServiceError()
        person = Person(endpoint)
        async with endpoint.client(mode="2026-07-28", opens=person) as client:
            result = await client.call_tool(*READ)

    assert "page" not in result.structured_content["error"]
    assert person.shown == []


@pytest.mark.parametrize("capabilities", [None, [], {"elicitation": {}}, {"elicitation": 7}])
async def test_what_a_client_says_of_itself_last_counts(capabilities: object) -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        token = endpoint.bearers.issue(call)
        for said in ({"elicitation": {"url": {}}}, capabilities):
            await endpoint.post(_introduction(said), token)
            kept = endpoint.abilities.kept[call.session_id]

    assert kept is False


async def test_without_the_database_the_answer_is_the_plain_error() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        endpoint.abilities.outage = DatabaseUnavailableError()
        endpoint.site.failure = AccountUnavailableError(retry_after_seconds=300)
        introduced = await endpoint.post(_introduction({"elicitation": {"url": {}}}), token)
        answer = await endpoint.post(tool_call(*READ), token)

    assert introduced.status_code == 200
    assert answer.json()["result"]["isError"] is True


def test_the_link_carries_nothing_but_a_word() -> None:
    assert urlsplit(PAGE).query == "done=account_refused"


def _introduction(capabilities: object) -> dict[str, Any]:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities,
        "clientInfo": {"name": "a", "version": "1"},
    }
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
