"""The page ``/_dev`` and the page of one request: HTML that is whole without a script.

Everything shown came out of redacted lines, or is redacted where it is read.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scripts.alarms.board import AlarmBoard
from scripts.alarms.judge import AlarmState
from scripts.dev_view import shown
from scripts.dev_view.collector import Collector
from scripts.dev_view.database_facts import DatabaseFacts, Facts
from scripts.dev_view.metric_store import percentile
from scripts.dev_view.request_log import Request
from scripts.dev_view.shown import AlarmRow, RequestRow
from scripts.dev_view.ticks import TickBook

REQUESTS_SHOWN: Final = 25
CHANGES_SHOWN: Final = 5
_FOLDER: Final = Path(__file__).parent / "templates"
_environment = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE: Final = (_FOLDER / "style.css").read_text("utf-8")
_SCRIPT: Final = (_FOLDER / "refresh.js").read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY: Final = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page has everything from."""

    collector: Collector
    ticks: TickBook
    database: DatabaseFacts
    about: Mapping[str, str]


async def overview(sources: Sources, *, still: bool) -> str:
    """The page of everything; ``still`` does not renew itself."""
    collector = sources.collector
    now = collector.clock.now()
    facts = await sources.database.read()
    requests = [shown.request_row(one) for one in collector.requests.newest_first()]
    times = shown.time_rows(collector.metrics, now)
    alarms = shown.alarm_rows(collector.alarms.standings(), collector.alarms.template)
    return _rendered(
        "overview.html",
        still=still,
        about=sources.about,
        tiles=_tiles(requests, alarms, facts),
        requests=requests[:REQUESTS_SHOWN],
        alarms=alarms,
        changes=_changes(collector.alarms),
        times=[row for row in times if row.name not in shown.OF_PARTS],
        parts=[row for row in times if row.name in shown.OF_PARTS],
        counts=shown.count_rows(collector.metrics, now),
        ticks=shown.tick_rows(sources.ticks.ticks()),
        facts=facts,
        spark_minutes=shown.SPARK_MINUTES,
    )


def _changes(board: AlarmBoard) -> list[dict[str, str]]:
    """The newest times that an alarm went on or off."""
    told = [one for one in board.changes if AlarmState.ALARM in {one.before, one.after}]
    return [
        {"at": shown.clock_time(one.at), "name": one.name, "after": one.after.value}
        for one in told[-CHANGES_SHOWN:][::-1]
    ]


def request_page(request: Request) -> str:
    """One request: its waterfall, its facts, and what else it logged."""
    return _rendered(
        "request.html",
        still=True,
        row=shown.request_row(request),
        facts={name: value for name, value in request.facts.items() if value is not None},
        lines=[_line(one) for one in request.lines],
    )


def _line(line: Mapping[str, object]) -> dict[str, str]:
    known = {"level", "message", "timestamp", "service", "stage", "release", "correlation_id"}
    rest = {name: value for name, value in line.items() if name not in known}
    return {
        "at": str(line.get("timestamp", ""))[11:23],
        "level": str(line.get("level", "")),
        "message": str(line.get("message", "")),
        "facts": json.dumps(rest, default=str, ensure_ascii=False)[:1_000],
    }


def _tiles(
    requests: list[RequestRow], alarms: list[AlarmRow], facts: Facts
) -> list[dict[str, str]]:
    times = sorted(one.milliseconds for one in requests if one.milliseconds is not None)
    p95 = f"{percentile(times, 95):.0f} ms" if times else "none yet"
    bad = sum(1 for one in requests if one.tone == "bad")
    on = sum(1 for one in alarms if one.state == "alarm")
    opened = sum(1 for one in facts.circuits if one.state in {"open", "forced_open"})
    live = "away" if facts.sessions is None else str(facts.sessions)
    return [
        {"label": "requests kept", "value": str(len(requests)), "tone": "plain"},
        {"label": "of them failed", "value": str(bad), "tone": "bad" if bad else "good"},
        {"label": "p95 of all", "value": p95, "tone": "plain"},
        {"label": "alarms on", "value": str(on), "tone": "bad" if on else "good"},
        {"label": "circuits open", "value": str(opened), "tone": "bad" if opened else "good"},
        {"label": "live sessions", "value": live, "tone": "plain"},
    ]


def _rendered(template: str, **values: Any) -> str:
    return _environment.get_template(template).render(
        style=Markup(_STYLE),  # noqa: S704 - our own file, whose hash is in the policy
        script=Markup(_SCRIPT),  # noqa: S704 - same
        **values,
    )
