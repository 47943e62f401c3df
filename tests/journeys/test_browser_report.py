"""The report's page in a real browser: readable in every look, and quiet."""

import asyncio
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from scripts.usage_report import page
from scripts.usage_report.__main__ import counted
from scripts.usage_report.emf_logs import EmfLogs
from scripts.usage_report.invented import fill
from shared.state.database import Database
from shared.state.roles import AppRole
from tests.journeys.browser_parts import (
    accessibility_complaints,
    contexts_of_every_look,
    running_chromium,
)

pytestmark = pytest.mark.browser


async def a_page(database_url: str, folder: Path) -> Path:
    await fill(database_url, folder, days=8, people=80)
    database = Database(make_conninfo(database_url, user=AppRole.REPORT.value))
    try:
        report = await counted(database, days=7, until=None, source=EmfLogs(folder))
    finally:
        await database.close()
    written = folder / "report.html"
    await asyncio.to_thread(written.write_text, page.written(report), "utf-8")
    return written


async def test_the_report_is_accessible_narrow_and_wide_light_and_dark_and_loads_nothing(
    database_url: str, tmp_path: Path
) -> None:
    written = await a_page(database_url, tmp_path)
    complaints, asked, said = list[str](), list[str](), list[str]()
    async with running_chromium() as browser:
        _, narrow_dark, wide_light, _ = await contexts_of_every_look(browser)
        for context in (narrow_dark, wide_light):
            opened = await context.new_page()
            opened.on("request", lambda request: asked.append(request.url))
            opened.on("console", lambda message: said.append(message.text))
            await opened.goto(written.as_uri())
            await opened.get_by_role("img", name="Searches by day").first.wait_for()
            complaints += await accessibility_complaints(opened, "report")

    assert (complaints, said) == ([], [])
    assert set(asked) == {written.as_uri()}
