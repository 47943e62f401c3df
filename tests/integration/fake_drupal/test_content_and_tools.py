from typing import Any

import httpx
import pytest

from scripts.fake_drupal.running import RunningFakeDrupal
from tests.integration.fake_drupal.people import rpc

LONG_ITEM = "403"


async def search(
    site: RunningFakeDrupal, http: httpx.AsyncClient, name: str, **params: Any
) -> dict[str, Any]:
    token = site.issue_pair(name)["access_token"]
    answer = (await rpc(site, http, token, "dme_mcp.search_content", **params)).json()
    result: dict[str, Any] = answer["result"]
    return result


async def tools(
    site: RunningFakeDrupal, http: httpx.AsyncClient, name: str, cursor: str | None = None
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {site.issue_pair(name)['access_token']}"}
    params = {"cursor": cursor} if cursor else {}
    answer = await http.get(f"{site.url}/mcp/tools/list", headers=headers, params=params)
    page: dict[str, Any] = answer.json()
    return page


async def test_search_pages_do_not_overlap_and_know_the_total(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    first = await search(site, http, "maya", keywords="drupal site", page={"limit": 5})
    second = await search(
        site, http, "maya", keywords="drupal site", page={"limit": 5, "offset": 5}
    )

    assert first["total"] == second["total"] > 10
    assert not {hit["id"] for hit in first["results"]} & {hit["id"] for hit in second["results"]}


async def test_search_filters_by_kind_version_and_category(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    found = await search(
        site,
        http,
        "maya",
        keywords="template",
        types=["tutorial", "video"],
        drupal_version=["11"],
        category=["Theming"],
    )

    assert found["results"]
    for hit in found["results"]:
        assert hit["bundle"] in ("tutorial", "video")
        assert "11" in hit["drupal_version"]
        assert hit["category"] == "Theming"


@pytest.mark.parametrize(("sort", "member"), [("title", "title"), ("created", "created")])
async def test_search_sorts_as_asked(
    site: RunningFakeDrupal, http: httpx.AsyncClient, sort: str, member: str
) -> None:
    found = await search(site, http, "maya", keywords="module", sort=sort, page={"limit": 100})
    values = [hit[member] for hit in found["results"]]

    assert values == sorted(values, reverse=sort != "title")


async def test_nothing_found_is_an_empty_page(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    found = await search(site, http, "maya", keywords="xylophone")

    assert (found["results"], found["total"]) == ([], 0)


async def test_members_texts_are_found_by_all_and_read_by_members_only(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    for name, readable in (("maya", True), ("felix", False), ("lena", False)):
        found = await search(either_site, http, name, keywords="dependency injection services")
        hit = found["results"][0]
        token = either_site.issue_pair(name)["access_token"]
        read = (await rpc(either_site, http, token, "tutorial.get", id=hit["id"])).json()

        assert hit["title"] == "Services and Dependency Injection"
        assert ("result" in read) is readable
        assert bool(hit["excerpt"]) is readable


async def test_a_member_whose_token_lacks_the_member_scope_is_served_as_anybody(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    token = site.issue_pair("maya", scopes=("tutorial:read",))["access_token"]
    read = (await rpc(site, http, token, "tutorial.get", id="104")).json()

    assert read["error"] == {
        "code": -32602,
        "message": "Invalid Params",
        "data": "Access denied to node 104",
    }
    assert read["id"] is None


async def test_one_item_is_longer_than_100_kilobytes(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    token = site.issue_pair("felix")["access_token"]
    read = (await rpc(site, http, token, "tutorial.get", id=LONG_ITEM)).json()

    assert len(read["result"]["body"]) > 100_000


async def test_the_tool_list_comes_in_pages_and_depends_on_the_person(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    whole = await tools(site, http, "maya")
    site.control.set(tools_page_size=4)
    paged: list[str] = []
    cursor: str | None = None
    while True:
        page = await tools(site, http, "maya", cursor)
        paged += [tool["name"] for tool in page["tools"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert paged == [tool["name"] for tool in whole["tools"]]
    assert "admin.only" not in paged
    ping = next(tool for tool in whole["tools"] if tool["name"] == "public.ping")
    assert ping["inputSchema"]["properties"] == []


async def test_administrators_see_their_tools_if_the_scope_lends_the_role(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    token = site.issue_pair("admin", scopes=("admin:access",))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    listed = (await http.get(f"{site.url}/mcp/tools/list", headers=headers)).json()

    assert "admin.only" in [tool["name"] for tool in listed["tools"]]


async def test_a_tool_wants_its_scopes_and_names_the_missing_ones(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    token = site.issue_pair("maya")["access_token"]
    answer = await http.post(
        f"{site.url}/mcp/tools/user.bookmark_add",
        json={"jsonrpc": "2.0", "id": 1, "method": "user.bookmark_add", "params": {"id": "120"}},
        headers={"Authorization": f"Bearer {token}"},
    )

    assert (answer.status_code, answer.content) == (403, b"")
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="MCP Tools", error="insufficient_scope", scope="user:write"'
    )


async def test_a_bookmark_is_kept_and_does_not_sign_anybody_out(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    token = site.issue_pair("maya")["access_token"]
    await rpc(site, http, token, "user.bookmark_add", id="120")
    kept = await rpc(site, http, token, "user.bookmarks")

    assert kept.json()["result"] == {"bookmarks": ["120"]}


async def test_get_answers_of_one_person_are_shown_to_another(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    query = '{"jsonrpc":"2.0","id":1,"method":"public.ping"}'
    seen = []
    for name in ("felix", "lena"):
        headers = {"Authorization": f"Bearer {site.issue_pair(name)['access_token']}"}
        answer = await http.get(f"{site.url}/jsonrpc", params={"query": query}, headers=headers)
        seen.append(answer.json()["result"]["uid"])

    assert seen == [3, 3]
