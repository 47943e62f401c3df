import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from scripts.fake_drupal.faults import Fault, FaultKind, RouteClass
from scripts.fake_drupal.running import RunningFakeDrupal
from tests.integration.fake_drupal.people import refresh, rpc

HTML = "text/html; charset=UTF-8"
CANNED: list[tuple[str, int, str, str | None]] = [
    ("error_json", 500, "application/json", None),
    ("error_html", 500, HTML, "encountered an unexpected error"),
    ("maintenance_html", 503, HTML, "Site under maintenance"),
    ("maintenance_text", 503, "text/plain; charset=UTF-8", "currently under maintenance"),
    ("install_redirect", 302, HTML, "/core/install.php"),
    ("proxy_page", 200, HTML, "<html>"),
    ("rate_limited", 429, HTML, None),
    ("bot_challenge", 403, HTML, "Just a moment"),
    ("not_json", 200, "application/json", None),
    ("unauthorized", 401, "application/json", None),
    ("unauthorized_server_error", 401, "application/json", None),
]
Ping = Callable[[], Awaitable[httpx.Response]]


@pytest.fixture
def ping(site: RunningFakeDrupal, http: httpx.AsyncClient) -> Ping:
    """A call with a good token."""
    token = site.issue_pair("maya")["access_token"]
    return lambda: rpc(site, http, token, "public.ping")


@pytest.mark.parametrize(("kind", "status", "content_type", "text"), CANNED)
async def test_a_canned_fault_answers_as_broken_sites_do_and_then_is_over(
    site: RunningFakeDrupal, ping: Ping, kind: str, status: int, content_type: str, text: str | None
) -> None:
    site.control.fail(kind, route="jsonrpc")
    broken, fine = await ping(), await ping()

    assert (broken.status_code, broken.headers["content-type"]) == (status, content_type)
    assert text is None or text in broken.text
    assert fine.json()["result"]["pong"] is True


async def test_the_error_page_has_the_odd_status_line_of_drupal(
    site: RunningFakeDrupal, ping: Ping
) -> None:
    site.control.fail("error_html")

    assert (await ping()).reason_phrase == "500 Service unavailable (with message)"


async def test_maintenance_and_the_error_page_carry_no_retry_after_but_the_cdn_does(
    site: RunningFakeDrupal, ping: Ping
) -> None:
    site.control.fail("maintenance_html")
    site.control.plan(Fault(kind=FaultKind.RATE_LIMITED, retry_after_seconds=3))

    assert "retry-after" not in (await ping()).headers
    assert (await ping()).headers["retry-after"] == "3"


async def test_a_server_error_as_401_is_told_apart_by_its_challenge(
    site: RunningFakeDrupal, ping: Ping
) -> None:
    site.control.fail("unauthorized_server_error")

    assert 'error="server_error"' in (await ping()).headers["www-authenticate"]


async def test_faults_count_requests_and_skip_those_that_shall_go_well(
    site: RunningFakeDrupal, ping: Ping
) -> None:
    site.control.fail("error_json", route="jsonrpc", skip=1, times=2)

    assert [(await ping()).status_code for _ in range(4)] == [200, 500, 500, 200]


async def test_a_fault_hits_only_what_it_is_aimed_at(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    token = site.issue_pair("maya")["access_token"]
    site.control.fail("error_json", route="jsonrpc", rpc_method="tutorial.get")
    ping = await rpc(site, http, token, "public.ping")
    read = await rpc(site, http, token, "tutorial.get", id="120")

    assert (ping.status_code, read.status_code) == (200, 500)


async def test_a_connection_closed_before_processing_leaves_the_pair_alone(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = site.issue_pair("maya")
    site.control.fail("close_before", route="token")
    with pytest.raises(httpx.RemoteProtocolError):
        await refresh(site, http, pair["refresh_token"])

    assert (await refresh(site, http, pair["refresh_token"])).status_code == 200


async def test_a_reply_lost_after_processing_has_used_the_refresh_token_up(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = site.issue_pair("maya")
    site.control.fail("close_after", route="token")
    with pytest.raises(httpx.RemoteProtocolError):
        await refresh(site, http, pair["refresh_token"])

    assert (await refresh(site, http, pair["refresh_token"])).status_code == 400
    assert site.control.live_tokens("maya") == (1, 1)


@pytest.mark.parametrize(("kind", "status"), [("hang", 200), ("hang_after", 401)])
async def test_a_hanging_answer_has_been_processed_or_not(
    site: RunningFakeDrupal, http: httpx.AsyncClient, kind: str, status: int
) -> None:
    pair = site.issue_pair("maya")
    site.control.fail(kind, route="token")
    waiting = asyncio.create_task(refresh(site, http, pair["refresh_token"]))
    await site.control.wait_for_requests("token", 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    old = await rpc(site, http, pair["access_token"], "public.ping")
    assert old.status_code == status


async def test_a_truncated_body_is_a_protocol_error_for_the_client(
    site: RunningFakeDrupal, ping: Ping
) -> None:
    site.control.fail("truncated", route="jsonrpc")
    with pytest.raises(httpx.RemoteProtocolError):
        await ping()


async def test_an_oversized_body_has_the_size_that_was_asked_for(
    site: RunningFakeDrupal, ping: Ping
) -> None:
    site.control.plan(Fault(kind=FaultKind.OVERSIZED, size_bytes=200_000))

    assert len((await ping()).content) == 200_002


async def test_a_held_request_is_processed_only_after_the_release(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = site.issue_pair("maya")
    gate = site.control.hold(route="token")
    held = asyncio.create_task(refresh(site, http, pair["refresh_token"]))
    await gate.reached()
    untouched = await rpc(site, http, pair["access_token"], "public.ping")
    gate.release()

    assert untouched.status_code == 200
    assert (await held).status_code == 200


async def test_a_delayed_answer_is_late_but_right(site: RunningFakeDrupal, ping: Ping) -> None:
    site.control.delay(30, route="jsonrpc")
    answer = await ping()
    [entry] = site.control.requests(RouteClass.JSONRPC)

    assert answer.status_code == 200
    assert entry.fault == "delay"
    assert entry.milliseconds is not None
    assert entry.milliseconds >= 30


@pytest.mark.parametrize("outage", ["unreachable", "internal_error"])
async def test_search_can_be_down_while_reading_works(
    site: RunningFakeDrupal, http: httpx.AsyncClient, outage: str
) -> None:
    token = site.issue_pair("maya")["access_token"]
    site.control.set(search_outage=outage)
    found: dict[str, Any] = (
        await rpc(site, http, token, "dme_mcp.search_content", keywords="twig")
    ).json()
    read = await rpc(site, http, token, "tutorial.get", id="120")

    assert found["error"]["code"] == -32603
    assert found["id"] == 1
    assert "Solr" in found["error"]["data"]
    assert "result" in read.json()


async def test_the_log_tells_what_happened_and_never_a_token(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = site.issue_pair("maya")
    await http.post(
        f"{site.url}/jsonrpc?access_token={pair['access_token']}",
        json={"jsonrpc": "2.0", "id": 1, "method": "public.ping"},
        headers={"X-Correlation-Id": "abc-1"},
    )
    new = (await refresh(site, http, pair["refresh_token"])).json()
    told = (await http.get(f"{site.url}/_control/requests")).text
    call, token = site.control.requests()

    assert (call.correlation_id, call.rpc_method, call.status) == ("abc-1", "public.ping", 401)
    assert (token.grant_type, token.status) == ("refresh_token", 200)
    for secret in (*pair.values(), *new.values(), site.client.secret):
        assert len(str(secret)) < 8 or str(secret) not in told
