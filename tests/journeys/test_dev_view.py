"""The local stack's page of itself, in a real browser: what it shows, and to whom."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest

from scripts.alarms.alarm import MetricKey
from scripts.dev_view.collector import Collector, FasterClock
from scripts.dev_view.database_facts import DatabaseFacts
from scripts.dev_view.log_tail import LogLine, LogTail
from scripts.dev_view.page import Sources
from scripts.dev_view.server import ViewServer
from scripts.dev_view.ticks import TickBook
from shared.domain.tokens import TokenKind, mint
from tests.journeys.browser_parts import (
    accessibility_complaints,
    contexts_of_every_look,
    running_chromium,
)
from tests.unit.dev_view.test_collector import a_request_ended, document, started

SECRETS = tuple(str(mint(kind)) for kind in TokenKind)
NOBODY = "host=127.0.0.1 port=1"
_EVENT = """
    SELECT app.audit_append(gen_random_uuid(), 'consent:given', NULL, NULL, NULL, %s,
                            jsonb_build_object('scopes', %s::text))
"""


def busy_collector() -> Collector:
    """A request with spans, one that failed, an alarm that is on; a secret in every place."""
    collector = Collector(LogTail({}), FasterClock())
    told: list[dict[str, Any]] = [
        started(path=f"/mcp/{SECRETS[0]}"),
        {"service": "mcp_endpoint", "correlation_id": "cafe", "message": "odd", "at": SECRETS[1]},
        a_request_ended(tool="get_tutorial", note=SECRETS[2]),
        started("another", correlation_id="beef", cold_start=True),
        a_request_ended(correlation_id="beef", status=503, error_code="drupal_unavailable"),
    ]
    for line in told:
        collector.take(LogLine("mcp_endpoint", json.dumps(line)))
    collector.take(LogLine("mcp_endpoint", SECRETS[3]))
    for span in (
        document("a", "## mcp_endpoint", (0, 100), parent="facade"),
        document("b", "tool", (10, 80), parent="a") | {"annotations": {"tool": SECRETS[4]}},
        document("c", "upstream_rpc", (20, 60), parent="b") | {"fault": True},
    ):
        collector.requests.take_span(span)
    now = collector.clock.now()
    throttles = MetricKey.of("AWS/Lambda", "Throttles", {"FunctionName": "oauth"})
    collector.metrics.add(throttles, 1.0, at=now - 60)
    taken = {"service": "oauth", "stage": "local"}
    for name in ("InvocationDuration", "SpanDuration"):
        key = MetricKey.of("DrupalizeMcp", name, taken)
        for value in (10.0, 20.0, 990.0):
            collector.metrics.add(key, value, at=now, unit="Milliseconds")
    collector.alarms.watched_since = now - 600
    collector.alarms.look(now)
    return collector


@asynccontextmanager
async def shown(conninfo: str) -> AsyncIterator[str]:
    """The page's address."""
    ticks = TickBook()
    ticks.note("token_refresh", 60, '{"refreshed": 3}')
    ticks.note("canary", 60, f"failed with {SECRETS[5]}", failed=True)
    about = {"MCP endpoint": "http://127.0.0.1:8712/mcp"}
    sources = Sources(busy_collector(), ticks, DatabaseFacts(conninfo), about)
    server = ViewServer(sources, port=0)
    try:
        yield await server.listen()
    finally:
        await server.close()


@pytest.mark.browser
async def test_everything_is_shown_in_every_look_and_without_a_script(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    database_admin.execute(_EVENT, ["client_1", SECRETS[0]])
    async with shown(database_url) as url, running_chromium() as browser:
        for context in await contexts_of_every_look(browser):
            page = await context.new_page()
            await page.goto(url)
            for summary in await page.locator("summary").all():
                await summary.click()
            assert await accessibility_complaints(page, "dev-view") == []
            await page.get_by_role("link", name="get_tutorial").click()
            assert await accessibility_complaints(page, "dev-view-request") == []

        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(url)
        text = await page.inner_text("main")
        for words in (
            *("OAuthThrottled", "refreshed 3", "drupal_unavailable", "consent:given"),
            *("drupal_rpc", "closed", "990", "InvocationDuration"),
        ):
            assert words in text
        assert await page.locator(".requests .bar").count() == 2
        assert 'http-equiv="refresh"' in await page.content()


@pytest.mark.browser
async def test_it_renews_itself_and_what_was_unfolded_stays_so(database_url: str) -> None:
    async with shown(database_url) as url, running_chromium() as browser:
        page = await (await browser.new_context()).new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(url)
        await page.locator("#all-alarms summary").click()
        await page.evaluate("document.querySelector('main').dataset.old = 'yes'")
        await page.evaluate("renew()")

        assert await page.locator("main[data-old]").count() == 0
        assert await page.locator("#all-alarms").get_attribute("open") is not None
        assert complaints == []


async def test_no_secret_reaches_the_page_wherever_it_was(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    database_admin.execute(_EVENT, [SECRETS[0], SECRETS[1]])
    async with shown(database_url) as url, httpx2.AsyncClient() as http:
        pages = [(await http.get(address)).text for address in (url, f"{url}/requests/another")]
        pages.append((await http.get(f"{url}/requests/27f80ed5-b48e-467d-958c-805ed9592373")).text)

    assert all("cafe" in page or "beef" in page for page in pages)
    assert not [secret for secret in SECRETS for page in pages if secret in page]


async def test_only_this_machine_under_its_own_name_is_answered(database_url: str) -> None:
    async with shown(database_url) as url, httpx2.AsyncClient() as http:
        port = urlsplit(url).port
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1",
            f"127.0.0.1.nip.io:{port}",
        ):
            refused = await http.get(url, headers={"host": host})
            assert refused.status_code == 421
            assert "cafe" not in refused.text
        answer = await http.get(url, headers={"host": f"localhost:{port}"})

        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert (await http.post(url, content=b"x")).status_code == 405
        assert (await http.post(url, content=b"x" * 2_000)).status_code == 413
        assert (await http.get(f"{url}/requests/unknown")).status_code == 404


async def test_it_is_there_while_postgres_is_not() -> None:
    async with shown(NOBODY) as url, httpx2.AsyncClient() as http:
        text = (await http.get(url)).text

    assert "Postgres does not answer" in text
    assert "OAuthThrottled" in text
