"""What the page shows, in words and numbers that a template only has to put in place."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from scripts.alarms.alarm import Alarm
from scripts.alarms.board import Standing
from scripts.alarms.judge import MINUTE_SECONDS, AlarmState
from scripts.alarms.template_alarms import CompositeAlarm, TemplateAlarms
from scripts.dev_view.metric_store import MetricStore, Series, percentile, statistic_of
from scripts.dev_view.request_log import Request, Span
from scripts.dev_view.ticks import Tick

WINDOW_SECONDS: Final = 3600
SPARK_MINUTES: Final = 30
ROWS_MAX: Final = 80
_ON_TOP: Final = ("InvocationDuration", "RetrievalDuration", "ToolDuration", "UpstreamDuration")
OF_PARTS: Final = frozenset({"SpanDuration", "CanaryDuration"})
"""Folded away on the page: many, and each says little."""
_KINDS: Final = {
    "upstream": "site",
    "authenticate": "store",
    "close_call": "store",
    "purge": "store",
    "postgres": "store",
    "kms": "keys",
    "rotate_keys": "keys",
    "circuit": "circuit",
    "refresh": "refresh",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One span in a waterfall; positions in percent of the request's time."""

    name: str
    kind: str
    depth: int
    left: float
    width: float
    milliseconds: float
    failed: bool
    facts: str


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request."""

    request_id: str
    at: str
    what: str
    status: str
    outcome: str
    milliseconds: float | None
    correlation_id: str
    cold: bool
    tone: str
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class TimeRow:
    """One metric of times in the last hour, in milliseconds."""

    name: str
    of: str
    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class CountRow:
    """One counter: the last hour, and how it went by minute (0 to 1)."""

    name: str
    of: str
    total: float
    spark: list[float]


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm."""

    name: str
    description: str
    severity: str
    state: str
    since: str
    reason: str
    runbook: str


def clock_time(epoch_seconds: float) -> str:
    """Hours, minutes and seconds, UTC."""
    return f"{datetime.fromtimestamp(epoch_seconds, UTC):%H:%M:%S}"


def request_row(request: Request) -> RequestRow:
    """One line of the list, with its waterfall."""
    facts = request.facts
    error = str(facts.get("error_code") or "")
    milliseconds = request.milliseconds
    status = str(facts.get("status") or ("failed" if facts.get("failed") else ""))
    return RequestRow(
        request_id=request.request_id,
        at=request.began_at[11:19],
        what=_what(request),
        status=status or ("under way" if milliseconds is None else "done"),
        outcome=error,
        milliseconds=milliseconds,
        correlation_id=request.correlation_id,
        cold=bool(facts.get("cold_start")),
        tone="bad" if request.has_failed else "warn" if error or status.startswith("4") else "good",
        bars=bars_of(request),
    )


def _what(request: Request) -> str:
    facts = request.facts
    parts = [request.function]
    if facts.get("trigger") == "http":
        parts += [str(facts.get("method") or ""), str(facts.get("path") or "")]
    else:
        parts.append(str(facts.get("trigger") or ""))
    asked = facts.get("tool") or facts.get("mcp_method")
    return " ".join([*parts, str(asked or "")]).strip()


def bars_of(request: Request) -> list[Bar]:
    """The request's spans as bars; none if it was not traced."""
    ordered = request.in_order()
    timed = [request.root] if request.root else [span for _, span in ordered]
    if not timed:
        return []
    begin, end = min(one.begin for one in timed), max(one.end for one in timed)
    length = max(end - begin, 1e-6)
    return [_bar(depth, span, begin, length) for depth, span in ordered]


def _bar(depth: int, span: Span, begin: float, length: float) -> Bar:
    left = min(max((span.begin - begin) / length * 100, 0.0), 100.0)
    width = min(max((span.end - span.begin) / length * 100, 0.3), 100.0 - left)
    shown = {name: value for name, value in span.facts.items() if name != "correlation_id"}
    return Bar(
        name=span.name,
        kind=kind_of(span.name),
        depth=depth,
        left=round(left, 3),
        width=round(width, 3),
        milliseconds=span.milliseconds,
        failed=span.failed,
        facts=", ".join(f"{name} {value}" for name, value in shown.items()),
    )


def kind_of(span: str) -> str:
    """What a span waits for: its colour."""
    return next((kind for start, kind in _KINDS.items() if span.startswith(start)), "other")


def _dimensions(series: Series) -> str:
    values = [value for name, value in series.key.dimensions if name != "stage"]
    return " · ".join(values)


def _is_own(series: Series) -> bool:
    """Not one of the totals over all functions, which would be shown twice."""
    names = {name for name, _ in series.key.dimensions}
    return "service" in names or "FunctionName" in names or not names


def time_rows(metrics: MetricStore, now: float) -> list[TimeRow]:
    """Times of the last hour, the most telling on top."""
    rows = []
    for series in metrics.series():
        if series.unit != "Milliseconds" or not _is_own(series):
            continue
        minutes = list(series.between(now - WINDOW_SECONDS, now + MINUTE_SECONDS))
        values = sorted(value for minute in minutes for value in minute.values)
        if values:
            p50, p95, p99 = (percentile(values, percent) for percent in (50, 95, 99))
            count = int(statistic_of(minutes, "SampleCount"))
            rows.append(TimeRow(series.key.name, _dimensions(series), count, p50, p95, p99))
    rows.sort(key=lambda row: (_rank(row.name), row.name, -row.count))
    return rows[:ROWS_MAX]


def _rank(name: str) -> int:
    return _ON_TOP.index(name) if name in _ON_TOP else len(_ON_TOP)


def count_rows(metrics: MetricStore, now: float) -> list[CountRow]:
    """Counters of the last hour, by name."""
    rows = []
    for series in metrics.series():
        if series.unit == "Milliseconds" or not _is_own(series):
            continue
        total = sum(one.total for one in series.between(now - WINDOW_SECONDS, now + MINUTE_SECONDS))
        if total:
            rows.append(CountRow(series.key.name, _dimensions(series), total, spark(series, now)))
    rows.sort(key=lambda row: (row.name, row.of))
    return rows[: 2 * ROWS_MAX]


def spark(series: Series, now: float) -> list[float]:
    """The sums of the newest minutes, as shares of the highest."""
    newest = int(now // MINUTE_SECONDS)
    found = [
        series.minutes[minute].total if minute in series.minutes else 0.0
        for minute in range(newest - SPARK_MINUTES + 1, newest + 1)
    ]
    highest = max(found)
    return [value / highest if highest > 0 else 0.0 for value in found]


def alarm_rows(standings: Iterable[Standing], template: TemplateAlarms) -> list[AlarmRow]:
    """Alarms that are on first, then those of which little is known, then the others."""
    order = [AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA, AlarmState.OK]
    about: dict[str, Alarm | CompositeAlarm] = {one.name: one for one in template.alarms}
    about |= {one.name: one for one in template.composites}
    rows = sorted(standings, key=lambda one: order.index(one.verdict.state))
    return [
        AlarmRow(
            name=one.name,
            description=about[one.name].description,
            severity=template.severities[one.name],
            state=one.verdict.state.value.replace("_", " ").lower(),
            since=clock_time(one.since),
            reason=one.verdict.reason,
            runbook=about[one.name].runbook,
        )
        for one in rows
    ]


def outcome_words(answer: str) -> str:
    """What a function answered to its tick, without what did not happen."""
    try:
        told = json.loads(answer)
    except ValueError:
        return answer
    if not isinstance(told, dict):
        return answer
    words = Counter(value for value in told.values() if isinstance(value, str))
    counted = [f"{count} {word}" for word, count in words.items()]
    done = [f"{name} {value}" for name, value in told.items() if isinstance(value, int) and value]
    return ", ".join(counted + done).replace("_", " ") or "nothing to do"


def tick_rows(ticks: Iterable[Tick]) -> list[Mapping[str, str]]:
    """Schedules: what ran when, and when it runs again."""
    now = time.time()
    return [
        {
            "function": tick.function,
            "every": f"{tick.interval_seconds:g} s",
            "last": clock_time(tick.at),
            "ago": f"{now - tick.at:.0f} s ago",
            "next": clock_time(tick.next_at),
            "outcome": outcome_words(tick.outcome),
            "tone": "bad" if tick.failed else "good",
        }
        for tick in ticks
    ]
