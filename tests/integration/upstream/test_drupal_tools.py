"""The site's tool list and calls of its tools, against the fake site and against odd answers."""

import json
from typing import Any

import pytest

from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from shared.errors.base import ServiceError
from shared.upstream.drupal_rpc import DrupalRpc
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.drupal_tools import PAGES_MAX, DrupalTools, SiteToolGoneError
from shared.upstream.failures import (
    AccessForbiddenError,
    ArgumentsRejectedError,
    InsufficientUpstreamScopeError,
    UpstreamAnswerInvalidError,
    UpstreamMaintenanceError,
    UpstreamMisconfiguredError,
    UpstreamTimeoutError,
    UpstreamTokenRejectedError,
    UpstreamUnavailableError,
)
from tests.support.scripted_site import HANG, http, scripted_site

PLENTY = 10.0


def _tools(url: str) -> DrupalTools:
    return DrupalTools(DrupalRpc(DrupalSite(base_url=url, client_id="x")))


def _token(site: RunningFakeDrupal, name: str = "maya", **how: Any) -> str:
    return str(site.issue_pair(name, **how)["access_token"])


async def _listed(tools: DrupalTools, token: str) -> list[str]:
    listed = await tools.list_tools(access_token=token, timeout_seconds=PLENTY)
    return [tool.name for tool in listed]


async def _call(tools: DrupalTools, name: str, token: str, **arguments: Any) -> Any:
    return await tools.call(name, arguments, access_token=token, timeout_seconds=PLENTY)


@pytest.mark.parametrize("page_size", [1, 3, 50])
@pytest.mark.parametrize("dialect", [5, 6])
async def test_every_page_is_read_with_the_persons_own_token(dialect: int, page_size: int) -> None:
    async with running_fake_drupal(dialect) as site:
        site.control.set(tools_page_size=page_size)
        tools = _tools(site.url)
        mayas = await _listed(tools, _token(site))
        admins = await _listed(tools, _token(site, "admin", scopes=_admin_scopes(dialect)))
        requests = site.control.requests()
        await tools._rpc.close()

    assert len(mayas) == len(set(mayas))
    assert {"public.ping", "user.me", "dme_mcp-search_content"} <= set(mayas)
    assert "admin.only" not in mayas
    assert "admin.only" in admins
    assert {entry.path for entry in requests} == {"/mcp/tools/list"}
    assert {entry.method for entry in requests} == {"GET"}


def _admin_scopes(dialect: int) -> tuple[str, ...]:
    return ("administrator",) if dialect == 5 else ("tutorial:read", "admin:access")


async def test_an_item_says_what_it_is() -> None:
    async with running_fake_drupal(6) as site:
        tools = _tools(site.url)
        listed = await tools.list_tools(access_token=_token(site), timeout_seconds=PLENTY)
        await tools._rpc.close()

    ping = next(tool for tool in listed if tool.name == "public.ping")
    me = next(tool for tool in listed if tool.name == "user.me")
    assert ping.input_schema == {"type": "object", "properties": []}
    assert (me.title, me.annotations["auth"]["level"]) == ("My account", "required")


async def test_a_tool_is_called_at_its_own_address_and_one_without_at_the_common_one() -> None:
    async with running_fake_drupal(6) as site:
        tools = _tools(site.url)
        me = await _call(tools, "user.me", _token(site))
        found = await _call(tools, "dme_mcp-search_content", _token(site), keywords="views")
        # Routes are those of an ordinary account: this tool has none.
        token = _token(site, "admin", scopes=("tutorial:read", "admin:access"))
        administered = await _call(tools, "admin.only", token)
        paths = [entry.path for entry in site.control.requests()]
        await tools._rpc.close()

    assert me["name"] == "maya"
    assert found["total"] > 0
    assert administered == {"administered": True}
    assert paths == [
        "/mcp/tools/user.me",
        "/mcp/tools/dme_mcp-search_content",
        "/mcp/tools/admin.only",
        "/jsonrpc",
    ]


@pytest.mark.parametrize("name", ["list", "describe", "..", "../jsonrpc", "a/b", "a\\b", "a?b=c#d"])
async def test_a_name_that_leads_elsewhere_leads_nowhere(name: str) -> None:
    async with running_fake_drupal(6) as site:
        tools = _tools(site.url)
        with pytest.raises(SiteToolGoneError):
            await _call(tools, name, _token(site))
        paths = {entry.path for entry in site.control.requests()}
        await tools._rpc.close()

    assert paths - {"/jsonrpc"} <= ({"/mcp/tools/a%3Fb=c%23d"} if "?" in name else set())


async def test_refusals_of_the_site_are_told_apart() -> None:
    async with running_fake_drupal(6, fixture_methods=True) as site:
        tools = _tools(site.url)
        refused: dict[str, type[ServiceError]] = {
            "user.bookmark_add": InsufficientUpstreamScopeError,
            "no.such_tool": SiteToolGoneError,
            "content.search": ArgumentsRejectedError,
            "fixture.boom": UpstreamUnavailableError,
        }
        for name, kind in refused.items():
            with pytest.raises(kind):
                await _call(tools, name, _token(site), **({"id": "7"} if "add" in name else {}))
        with pytest.raises(AccessForbiddenError):
            await _call(tools, "admin.only", _token(site))
        with pytest.raises(UpstreamTokenRejectedError):
            await _call(tools, "user.me", "not.a.token")
        with pytest.raises(UpstreamTokenRejectedError):
            await _listed(tools, "not.a.token")
        site.control.remove_permission("authenticated", "access mcp tool discovery")
        with pytest.raises(AccessForbiddenError):
            await _listed(tools, _token(site))
        site.control.set(maintenance=True)
        with pytest.raises(UpstreamMaintenanceError):
            await _listed(tools, _token(site))
        await tools._rpc.close()


def _page(*names: Any, cursor: Any = None) -> bytes:
    tools = [{"name": name} if isinstance(name, str) else name for name in names]
    return http(200, json.dumps({"tools": tools, "nextCursor": cursor}))


async def test_pages_end_at_a_cursor_that_was_there_before_and_at_a_bound() -> None:
    async with scripted_site(_page("a", cursor="x"), _page("b", cursor="x")) as site:
        tools = _tools(site.url)
        names = await _listed(tools, "t")
        await tools._rpc.close()
    async with scripted_site(*(_page("a", cursor=f"{n}&=") for n in range(PAGES_MAX + 9))) as many:
        tools = _tools(many.url)
        await _listed(tools, "t")
        await tools._rpc.close()

    assert names == ["a", "b"]
    assert len(many.requests) == PAGES_MAX
    assert b"cursor=1%26%3D" in many.requests[2]


@pytest.mark.parametrize("cursor", [None, "", 7, [], {}, False])
async def test_any_other_cursor_is_the_end(cursor: Any) -> None:
    async with scripted_site(_page("a", cursor=cursor)) as site:
        tools = _tools(site.url)
        names = await _listed(tools, "t")
        await tools._rpc.close()

    assert (names, len(site.requests)) == (["a"], 1)


async def test_odd_items_cost_themselves() -> None:
    items: list[Any] = [None, 7, "x", [], {}, {"name": 7}, {"name": "b", "annotations": "x"}]
    async with scripted_site(_page("a", *items)) as site:
        tools = _tools(site.url)
        first = await _listed(tools, "t")
        await tools._rpc.close()
    holes = http(200, json.dumps({"tools": {"0": {"name": "a"}, "2": {"name": "c"}}}))
    async with scripted_site(holes) as site:
        tools = _tools(site.url)
        second = await _listed(tools, "t")
        await tools._rpc.close()

    # The string became an item with that name in the page itself.
    assert (first, second) == (["a", "x", "b"], ["a", "c"])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http(200, "[]"), UpstreamAnswerInvalidError),
        (http(200, '{"tools": 7}'), UpstreamAnswerInvalidError),
        (http(200, "{}"), UpstreamAnswerInvalidError),
        (http(200, "<html>"), UpstreamUnavailableError),
        (http(404, "<html>"), UpstreamMisconfiguredError),
        (http(302, location="/core/install.php"), UpstreamUnavailableError),
        (http(500, "<html>"), UpstreamUnavailableError),
    ],
)
async def test_an_answer_that_is_no_list_is_an_error(
    answer: bytes, kind: type[ServiceError]
) -> None:
    async with scripted_site(answer) as site:
        tools = _tools(site.url)
        with pytest.raises(kind):
            await _listed(tools, "t")
        await tools._rpc.close()


async def test_all_pages_together_have_one_time() -> None:
    async with scripted_site(_page("a", cursor="x"), HANG) as site:
        tools = _tools(site.url)
        with pytest.raises(UpstreamTimeoutError):
            await tools.list_tools(access_token="t", timeout_seconds=0.3)
        await tools._rpc.close()

    assert len(site.requests) == 2
