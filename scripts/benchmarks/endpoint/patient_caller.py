"""A client that waits as long as it is told and then asks again; what became of its calls."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from scripts.benchmarks.endpoint.environments import Answered, Environment
from scripts.benchmarks.tool_requests import SEARCH, ToolRequest

READ: Final = ToolRequest(tool="get_tutorial", arguments={"id": "101"})
REQUESTS: Final = (SEARCH, READ)
_WAIT_SECONDS_LEAST: Final = 0.05


class Verdict(StrEnum):
    """What an answer is."""

    RIGHT = "right"
    REFUSED = "refused"
    """503, or a tool's error that says when to come back."""
    SIGNED_OUT = "signed out"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One answer to one request."""

    verdict: Verdict
    answered_at: float
    """By ``time.monotonic()``."""
    seconds: float
    retries: int
    """What the endpoint did again by itself."""
    status: int = 200


@dataclass(slots=True)
class Judge:
    """Knows the right answers: those that were given while all was well."""

    right: dict[str, Any] = field(default_factory=dict)

    def learn(self, request: ToolRequest, answer: Answered) -> None:
        """Take this as the right one.

        Raises:
            AnswerError: it is none.
        """
        request.check(answer.status, answer.content_type, answer.body)
        self.right[request.tool] = _result(answer)["structuredContent"]

    def verdict(self, request: ToolRequest, answer: Answered) -> Verdict:
        """What ``answer`` is."""
        if answer.status == 401:
            return Verdict.SIGNED_OUT
        if answer.status == 503:
            # RFC 9110 section 10.2.3: whoever is to come back must be told when.
            return Verdict.REFUSED if answer.retry_after.isdecimal() else Verdict.WRONG
        content = _result(answer).get("structuredContent")
        if answer.status == 200 and content == self.right[request.tool]:
            return Verdict.RIGHT
        return Verdict.REFUSED if _retry_seconds(content) else Verdict.WRONG


@dataclass(slots=True)
class PatientCaller:
    """Calls one environment over and over."""

    environment: Environment
    judge: Judge
    newcomer: bool
    """Nobody knows it from a call before: without Postgres it gets nothing."""
    tries: list[list[Try]] = field(default_factory=list)
    """Of each call."""

    async def keep_calling(self, over: Callable[[], bool], *, wait: bool = True) -> None:
        """Call until it is over; every call until it is answered, if it is to ``wait``."""
        number = 0
        while not over():
            await self.call(REQUESTS[number % len(REQUESTS)], wait=wait)
            number += 1

    async def call(self, request: ToolRequest, *, wait: bool = True) -> None:
        """One call; again after the time that a refusal names, if it is to ``wait``."""
        tries: list[Try] = []
        self.tries.append(tries)
        while True:
            answer = await self._ask(request)
            verdict = self.judge.verdict(request, answer)
            tries.append(_try(verdict, answer))
            if verdict is not Verdict.REFUSED or not wait:
                return
            await asyncio.sleep(_told_seconds(answer))

    async def _ask(self, request: ToolRequest) -> Answered:
        if self.newcomer:
            self.environment.knows_nobody()
        return await self.environment.call(request)


def _try(verdict: Verdict, answer: Answered) -> Try:
    return Try(
        verdict=verdict,
        answered_at=time.monotonic(),
        seconds=answer.seconds,
        retries=answer.retries,
        status=answer.status,
    )


def _told_seconds(answer: Answered) -> float:
    if answer.status == 503:
        return max(_WAIT_SECONDS_LEAST, float(answer.retry_after))
    return max(_WAIT_SECONDS_LEAST, _retry_seconds(_result(answer).get("structuredContent")) or 0)


def _result(answer: Answered) -> dict[str, Any]:
    try:
        message = json.loads(answer.body)
    except ValueError:
        return {}
    return dict(message.get("result") or {})


def _retry_seconds(content: Any) -> float | None:
    error = content.get("error") if isinstance(content, dict) else None
    return error.get("retry_after_seconds") if isinstance(error, dict) else None
