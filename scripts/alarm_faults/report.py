"""The table of what was fired, and its page in the documentation.

A run of some alarms replaces their rows and leaves the others.
"""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scripts.alarm_faults.case import Fired

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/alarms-fired.md"
BEGIN: Final = "<!-- as printed by `scripts/alarms_fired --write` -->"
END: Final = "<!-- end -->"
_HEADS: Final = (
    "| Fault | Alarm | Fired after | Faster | Why | Day |\n| --- | --- | --- | --- | --- | --- |"
)
_ROW: Final = re.compile(r"^\| [^|]+ \| `(\w+)` \|.*$", re.MULTILINE)


def row(one: Fired) -> str:
    """Fault, alarm, time to fire in the alarm's own time, and by how much that was faster."""
    day = dt.datetime.now(dt.UTC).date().isoformat()
    time, factor = _time(one.seconds), f"{one.case.factor:g} times"
    return f"| {one.case.fault} | `{one.alarm}` | {time} | {factor} | {one.reason} | {day} |"


def table(found: Sequence[Fired]) -> str:
    """All rows of a run."""
    return "\n".join([_HEADS, *(row(one) for one in found)])


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "**not fired**"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def written(found: Sequence[Fired], order: Sequence[str]) -> None:
    """Put the rows into the page, in the order of the alarms; rows of alarms that are gone go."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    kept, _, after = rest.partition(END)
    rows = {match[1]: match[0] for match in _ROW.finditer(kept)}
    rows |= {one.alarm: row(one) for one in found}
    listed = "\n".join([_HEADS, *(rows[name] for name in order if name in rows)])
    PAGE.write_text(f"{before}{BEGIN}\n\n{listed}\n\n{END}{after}", "utf-8")
