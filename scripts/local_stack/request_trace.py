"""What became of one request on the local stack, by its correlation id: `scripts/trace ID`.

Reads logs of functions and the fake site's request log; it must never show more than they hold.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from scripts.local_stack.options import DATA_DIR_DEFAULT
from scripts.local_stack.stack import STACK_FILE

ASK_SECONDS_MAX: Final = 5.0
_TOLD_ELSEWHERE: Final = frozenset(
    {
        *("correlation_id", "timestamp", "service", "message", "level", "location", "stage"),
        *("release", "xray_trace_id", "lambda_request_id", "exception", "stack_trace"),
    }
)
_OF_THE_SITE: Final = ("grant_type", "rpc_method", "status", "fault", "traceparent")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: when, where, what, and its facts."""

    at: str
    where: str
    what: str
    facts: Mapping[str, object]

    def __str__(self) -> str:
        """As one line for the terminal."""
        facts = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.at:12} {self.where:14} {self.what:32} {facts}".rstrip()


def steps_in(lines: Iterable[str], correlation_id: str) -> Iterator[Step]:
    """The log lines of one request; metrics are left out."""
    for line in lines:
        if correlation_id not in line or not line.startswith("{"):
            continue
        fields: dict[str, Any] = json.loads(line)
        if fields.get("correlation_id") == correlation_id and "message" in fields:
            facts = {name: fields[name] for name in fields if name not in _TOLD_ELSEWHERE}
            time_of_day = str(fields["timestamp"])[11:23]
            yield Step(time_of_day, str(fields["service"]), str(fields["message"]), facts)


def steps_at_site(requests: Iterable[Mapping[str, Any]], correlation_id: str) -> Iterator[Step]:
    """The site's requests that carried the id; its clock is its own, so they have no time."""
    for request in requests:
        if request.get("correlation_id") == correlation_id:
            facts = {name: request[name] for name in _OF_THE_SITE if request.get(name) is not None}
            yield Step("", "site", f"{request['method']} {request['path']}", facts)


def steps_of(correlation_id: str, *, logs: Path, requests: Iterable[Any]) -> list[Step]:
    """All of it: ours in the order of time, then the site's."""
    ours = [
        step
        for file in sorted(logs.glob("*.log"))
        for step in steps_in(file.read_text("utf-8", "replace").splitlines(), correlation_id)
    ]
    ours.sort(key=lambda step: step.at)
    return [*ours, *steps_at_site(requests, correlation_id)]


def _site_requests(stack: Mapping[str, Any]) -> list[Any]:
    address = stack["drupal_control_url"]
    if address is None:
        return []
    answer = httpx.get(f"{address}requests", timeout=ASK_SECONDS_MAX)
    found: list[Any] = answer.raise_for_status().json()["requests"]
    return found


def main() -> int:
    """Print the steps of one request; 1 if there are none."""
    parser = argparse.ArgumentParser(prog="scripts/trace", description=__doc__)
    parser.add_argument("correlation_id", help="from an error's text, page or header")
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR_DEFAULT, help="default: .dev")
    given = parser.parse_args()
    try:
        stack = json.loads((given.data_dir / STACK_FILE).read_text("utf-8"))
    except FileNotFoundError:
        print("no stack is running; start it with scripts/dev", file=sys.stderr)
        return 1
    steps = steps_of(
        given.correlation_id, logs=given.data_dir / "logs", requests=_site_requests(stack)
    )
    for step in steps:
        print(step)
    return 0 if steps else 1


if __name__ == "__main__":
    sys.exit(main())
