"""``./scripts/dev tail``: one line a request as it ends, in a terminal.

Reads the logs of a running stack; it must never need the stack's own process.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

from scripts.artifacts.build import LOGICAL_IDS
from scripts.dev_view.log_tail import LogTail
from scripts.dev_view.request_log import Request, RequestLog
from scripts.dev_view.shown import RequestRow, request_row

LOOK_SECONDS: Final = 0.2
_COLOURS: Final[Mapping[str, str]] = {"good": "32", "warn": "33", "bad": "31"}
_QUIET, _BOLD = "2", "1"
HEADING: Final = f"{'time':8}  {'code':>9}  {'ms':>8}  {'correlation id':32}  request"


def painter(out: TextIO) -> Callable[[str, str], str]:
    """Puts text in a colour, if a person looks at ``out``."""
    if not out.isatty():
        return lambda text, _colour: text
    return lambda text, colour: f"\x1b[{colour}m{text}\x1b[0m"


def line_of(row: RequestRow, paint: Callable[[str, str], str]) -> str:
    """One request on one line."""
    taken = "" if row.milliseconds is None else f"{row.milliseconds:.1f}"
    parts = [
        paint(row.at, _QUIET),
        paint(f"{row.status:>9}", _COLOURS[row.tone]),
        f"{taken:>8}",
        paint(f"{row.correlation_id:32}", _QUIET),
        paint(row.what, _BOLD),
    ]
    more = [row.outcome, "cold start" if row.cold else ""]
    return "  ".join([*parts, *(paint(one, "33") for one in more if one)])


def ended(tail: LogTail, requests: RequestLog) -> Iterator[Request]:
    """The requests that have ended since the last look."""
    for line in tail.lines():
        try:
            told = json.loads(line.text)
        except ValueError:
            continue
        if isinstance(told, dict) and "_aws" not in told:
            request = requests.take_line(told)
            if request is not None:
                yield request


def follow(logs: Path, is_running: Callable[[], bool], out: TextIO = sys.stdout) -> None:
    """Write a line for every request that ends from now on, until the stack has ended."""
    files = {function: logs / f"{function}.log" for function in LOGICAL_IDS}
    tail, requests, paint = LogTail(files, from_start=False), RequestLog(), painter(out)
    print(paint(HEADING, _QUIET), file=out, flush=True)
    while True:
        runs = is_running()
        for request in ended(tail, requests):
            print(line_of(request_row(request), paint), file=out, flush=True)
        if not runs:
            return
        time.sleep(LOOK_SECONDS)
