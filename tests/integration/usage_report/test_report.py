"""The report of invented people: by its own role, for the terminal and as a page."""

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scripts.usage_report.__main__ import main
from scripts.usage_report.invented import NotEmptyError, fill
from shared.state.roles import AppRole

DAYS = 9


@pytest.fixture
def report_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    url = make_conninfo(database_url, user=AppRole.REPORT.value)
    monkeypatch.setenv("DATABASE_URL", url)
    return url


class Tags(HTMLParser):
    """Every tag of a page, and every address in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        self.addresses += [text or "" for name, text in attrs if name in ("src", "href", "action")]


def run(*arguments: str) -> int:
    """As the command line does; in a loop of its own."""
    return main(arguments)


@pytest.mark.usefixtures("report_url")
def test_before_anything_is_counted_the_report_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 0
    assert "Nothing is counted yet" in capsys.readouterr().out


@pytest.mark.usefixtures("report_url")
def test_a_report_tells_of_usage_memberships_people_clients_and_what_it_took(
    database_url: str,
    database_admin: psycopg.Connection[object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:

    inventor = asyncio.run(fill(database_url, tmp_path, days=DAYS, people=60))
    page = tmp_path / "report.html"
    assert run("--days", "7", "--html", str(page), "--logs", str(tmp_path)) == 0
    said, written = capsys.readouterr().out, page.read_text("utf-8")

    for title in (
        "Ratios",
        "Searches by day",
        "Most requested tutorials",
        "Memberships",
        "Clients",
    ):
        assert title in said
        assert title in written
    assert "Build a View with a Contextual Filter" in said
    assert "Build a View with a Contextual Filter" in written
    assert "metrics in local logs" in written
    assert re.search(r"09:00 +[1-9]", said)

    tags = Tags()
    tags.feed(written)
    assert {"svg", "table", "figure"} <= tags.tags
    assert not {"script", "link", "img", "iframe", "form"} & tags.tags
    assert tags.addresses == []
    assert "url(" not in written
    assert "@import" not in written

    people = {str(row[2]) for row in inventor.rows}
    assert not [person for person in people if person in said or person in written]
    with pytest.raises(NotEmptyError):
        asyncio.run(fill(database_url, tmp_path))


def test_without_a_database_to_read_nothing_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert run() == 2
    assert "set DATABASE_URL" in capsys.readouterr().err


@pytest.mark.usefixtures("report_url")
def test_cloudwatch_that_does_not_answer_fails_the_report_with_a_word(
    database_admin: psycopg.Connection[object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database_admin.execute("INSERT INTO app.usage_rolled VALUES ('day', '2026-03-01', now(), 0)")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    assert run("--cloudwatch", "prod") == 1
    assert "FAILED: CloudWatch: EndpointConnectionError" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--logs", "/no/such/folder")
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "367", "x"])
def test_a_period_is_bounded(days: str) -> None:
    with pytest.raises(SystemExit):
        run("--days", days)
