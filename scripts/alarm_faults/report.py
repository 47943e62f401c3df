"""The table of what was fired, and its page in the documentation."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scripts.alarm_faults.case import Fired

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/alarms-fired.md"
BEGIN: Final = "<!-- as printed by `scripts/alarms_fired --write` -->"
END: Final = "<!-- end -->"


def table(found: Sequence[Fired]) -> str:
    """Fault, alarm, time to fire in the alarm's own time."""
    rows = [
        f"| {one.case.fault} | `{one.alarm}` | {_time(one.seconds)} | {one.case.factor:g} "
        f"| {one.reason} |"
        for one in found
    ]
    heads = [
        "| Fault | Alarm | Fired after | Time passed | Why |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*heads, *rows])


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "**not fired**"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def written(found: Sequence[Fired]) -> None:
    """Put the table into its page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    on = sum(1 for one in found if one.seconds is not None)
    day = dt.datetime.now(dt.UTC).date().isoformat()
    summary = f"{day}: {on} of {len(found)} alarms fired."
    PAGE.write_text(f"{before}{BEGIN}\n\n{summary}\n\n{table(found)}\n\n{END}{after}", "utf-8")
