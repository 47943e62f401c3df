"""Lets Schemathesis work through the OAuth API; every answer goes to the same judge."""

import math
from typing import Any, Final

import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from scripts.fuzzing.exchange import DEADLINE_SECONDS, Answer
from scripts.fuzzing.tally import Tally

_EXAMPLES_MAX: Final = 100_000
"""Of one operation: the time ends a run, not this."""


def run(document: dict[str, Any], *, url: str, seconds: float, seed: int, tally: Tally) -> None:
    """Work for so many seconds, at least one."""
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "max-time": max(1, math.floor(seconds)),
            "base-url": url,
            "continue-on-failure": True,
            "request-timeout": DEADLINE_SECONDS,
            "max-redirects": 0,
            "checks": {"enabled": False},
            "generation": {"max-examples": _EXAMPLES_MAX, "no-shrink": True},
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _judge(event.recorder, tally)
        elif isinstance(event, events.NonFatalError):
            tally.find(f"Schemathesis: {event.info.title}", event.label)
        elif isinstance(event, events.FatalError):
            raise event.exception


def _judge(recorder: ScenarioRecorder, tally: Tally) -> None:
    for interaction in recorder.interactions.values():
        request, response = interaction.request, interaction.response
        told = f"{request.method} {request.uri}\n    {request.headers}\n    {request.body!r}"
        if response is None:
            tally.find("no answer", told)
            continue
        headers = {name.lower(): ", ".join(values) for name, values in response.headers.items()}
        answer = Answer(
            status=response.status_code,
            headers=headers,
            body=response.content,
            seconds=response.elapsed,
            is_head=request.method == "HEAD",
        )
        tally.add(told, answer)
