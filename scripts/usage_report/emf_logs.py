"""What the functions used, from log files with metrics in them: the local stack's way.

Reads embedded metric format lines as the functions print them; every other line is passed over.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.usage_report.resources import SPECS, Hourly, Resource, combined, hour_of
from shared.state.usage_report import Period

_MARK = '"_aws"'


class EmfLogs:
    """All log files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """For the report's reader."""
        return "metrics in local logs"

    def hourly(self, period: Period) -> Hourly:
        """What was used in a period."""
        found: dict[Resource, dict[datetime, float]] = {resource: {} for resource in SPECS}
        for line in self._lines():
            moment = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC)
            if period.since <= moment < period.until:
                _add(found, line, hour_of(moment))
        return found

    def _lines(self) -> Iterator[dict[str, Any]]:
        for file in sorted(self._folder.glob("*.log")):
            with file.open(encoding="utf-8", errors="replace") as text:
                for line in text:
                    if _MARK in line and (metrics := _parsed(line)) is not None:
                        yield metrics


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line[line.index("{") :])
    except ValueError:
        return None  # a line that was cut when its process was killed
    return found if isinstance(found, dict) and isinstance(found.get("_aws"), dict) else None


def _add(
    found: dict[Resource, dict[datetime, float]], line: dict[str, Any], hour: datetime
) -> None:
    for resource, spec in SPECS.items():
        values = line.get(spec.metric.value, [])
        for value in values if isinstance(values, list) else [values]:
            of_hour = found[resource]
            of_hour[hour] = combined(spec.statistic, of_hour.get(hour), float(value))
