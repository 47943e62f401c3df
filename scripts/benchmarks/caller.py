"""Calls one server after the other and takes the time, and the site's part of it.

One call at a time: the site's log can be told apart by its order only.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from scripts.benchmarks.tool_requests import AnswerError, ToolRequest
from scripts.benchmarks.workbench import READ_METHOD, SEARCH_METHOD, Workbench

_CALLS_PER_LOOK: Final = 500
"""Far less than the site's log holds."""
_LOOKS_MAX: Final = 50
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A server and what it is asked."""

    call: str
    server: str
    function: str
    """Its name in the emulator."""
    url: str
    request: ToolRequest
    site_method: str | None
    """The one call that it makes to the site; None: its answer is no tool's result either."""


@dataclass(frozen=True, kw_only=True)
class TimedCall:
    """One call: all of it as the client sees it, and the site's own part."""

    contender: Contender
    milliseconds: float
    site_milliseconds: float


class Caller:
    """A client with a kept connection to every server."""

    def __init__(self, workbench: Workbench, http: httpx2.AsyncClient) -> None:
        self._workbench = workbench
        self._http = http
        self._last_seen = 0

    async def call(self, contender: Contender) -> tuple[float, bytes]:
        """Milliseconds of one call, and the body of its answer.

        Raises:
            AnswerError: it was not answered as it should be.
        """
        request = contender.request
        headers = request.headers(self._workbench.access_token, self._workbench.host)
        body = request.body()
        began = time.perf_counter()
        answer = await self._http.post(contender.url, headers=headers, content=body)
        milliseconds = (time.perf_counter() - began) * 1000
        if contender.site_method is not None:
            content_type = answer.headers.get("content-type", "")
            request.check(answer.status_code, content_type, answer.content)
        # What is done after the answer shall not fall into somebody else's time.
        await self._workbench.stack.emulator.settled(contender.function)
        return milliseconds, answer.content

    async def timed(self, contenders: Sequence[Contender]) -> list[TimedCall]:
        """Call all of them in this order."""
        done: list[TimedCall] = []
        await self._site_times(0)
        for begin in range(0, len(contenders), _CALLS_PER_LOOK):
            part = contenders[begin : begin + _CALLS_PER_LOOK]
            took = [(await self.call(contender))[0] for contender in part]
            asking = [contender.site_method is not None for contender in part]
            at_site = iter(await self._site_times(sum(asking)))
            done += [
                TimedCall(
                    contender=contender,
                    milliseconds=milliseconds,
                    site_milliseconds=next(at_site) if asks else 0.0,
                )
                for contender, milliseconds, asks in zip(part, took, asking, strict=True)
            ]
        return done

    async def _site_times(self, expected: int) -> list[float]:
        """The site's times of the JSON-RPC calls since the last look, oldest first.

        Raises:
            AnswerError: they are not as many as there should be.
        """
        times: list[float] = []
        for _ in range(_LOOKS_MAX):
            listed = await self._calls_at_site()
            finished = [one for one in listed if one["milliseconds"] is not None]
            times = [float(one["milliseconds"]) for one in finished]
            if expected == 0 or len(times) == expected:
                self._last_seen = max([self._last_seen, *(one["number"] for one in finished)])
                return times
            await asyncio.sleep(_POLL_SECONDS)
        raise AnswerError(f"the site was called {len(times)} times instead of {expected}")

    async def _calls_at_site(self) -> list[dict[str, Any]]:
        url = f"{self._workbench.stack.addresses.drupal_url}/_control/requests"
        listed = (await self._http.get(url)).json()["requests"]
        return [
            one
            for one in listed
            if one["number"] > self._last_seen and one["rpc_method"] in {SEARCH_METHOD, READ_METHOD}
        ]
