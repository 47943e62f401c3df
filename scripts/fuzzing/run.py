"""One run over both doors: each part in its third of the time, memory looked at in between."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from fastapi import FastAPI
from hypothesis import strategies as st

from functions.oauth.composition import compose
from scripts.fuzzing import by_schemathesis, json_rpc, oauth_api, oauth_forms
from scripts.fuzzing.by_hypothesis import send_batch
from scripts.fuzzing.exchange import Door, Request
from scripts.fuzzing.premises import Premises, opened_premises
from scripts.fuzzing.tally import Tally
from shared.settings import OAuthFunctionSettings

WARM_UP_PART: Final = 0.25
"""Of a part's time: caches fill and every path is imported, before the first look at memory."""
LARGEST_BODIES: Final = 5
GROWTH_MAX: Final = 1.15
"""Resident memory at the end, against that after the warm-up.

The allocator takes bodies of a megabyte in a few steps of some megabytes, 1.09 times in all after
2,000 messages; in between nothing grows.
"""

Strategies = Callable[[int], Awaitable[st.SearchStrategy[Request]]]
"""What to send in the batch of a number."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the environments of one function held, by process, in 1,000,000 bytes."""

    function: str
    after_warm_up: Mapping[int, float]
    at_the_end: Mapping[int, float]

    @property
    def growth(self) -> float:
        """That of the environment that grew most; 1 is none."""
        grown = [
            self.at_the_end[pid] / self.after_warm_up[pid]
            for pid in self.at_the_end
            if self.after_warm_up.get(pid)
        ]
        return max(grown, default=math.inf)

    @property
    def is_flat(self) -> bool:
        """Whether it stayed within the bound, and no environment had to be replaced."""
        return self.growth <= GROWTH_MAX and set(self.at_the_end) == set(self.after_warm_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run showed."""

    seed: int
    tallies: tuple[Tally, ...]
    memories: tuple[Memory, ...]

    @property
    def is_clean(self) -> bool:
        """Nothing wrong, something answered in every part, memory flat."""
        answered = all(tally.requests and not tally.findings for tally in self.tallies)
        return answered and all(memory.is_flat for memory in self.memories)


@dataclass(kw_only=True)
class _Part:
    """What Hypothesis sends to one door."""

    url: str
    strategies: Strategies
    largest: Request
    numbers: Iterator[int]
    tally: Tally = field(init=False)
    name: str

    def __post_init__(self) -> None:
        self.tally = Tally(self.name)

    async def warm_up(self, seconds: float) -> None:
        """The largest bodies and a whole batch, however long that takes, and then as below."""
        with Door(self.url) as door:
            for _ in range(LARGEST_BODIES):
                self.tally.add(self.largest, await asyncio.to_thread(door.send, self.largest))
            ends_at = time.monotonic() + seconds
            await self._send_batch(door, math.inf)
            await self._send_until(door, ends_at)

    async def send_for(self, seconds: float) -> None:
        """Batch after batch, each with premises of its own."""
        with Door(self.url) as door:
            await self._send_until(door, time.monotonic() + seconds)

    async def _send_until(self, door: Door, ends_at: float) -> None:
        while time.monotonic() < ends_at:
            await self._send_batch(door, ends_at)

    async def _send_batch(self, door: Door, ends_at: float) -> None:
        number = next(self.numbers)
        strategy = await self.strategies(number)
        await asyncio.to_thread(
            send_batch, strategy, number, door, tally=self.tally, ends_at=ends_at
        )


async def fuzz(seconds: float, seed: int) -> Report:
    """Send for so many seconds.

    Raises:
        PartFailedError: the stack did not start.
        UndescribedEndpointError: an endpoint is missing in the description of the OAuth API.
    """
    third = seconds / 3
    async with opened_premises() as around:
        messages = _Part(
            name="MCP, Hypothesis",
            url=around.mcp_url,
            strategies=lambda number: _messages(around, number),
            largest=json_rpc.largest(around.access_token),
            numbers=count(seed),
        )
        forms = _Part(
            name="OAuth, Hypothesis",
            url=around.oauth_url,
            strategies=lambda _: _forms(around),
            largest=oauth_forms.largest(),
            numbers=count(seed),
        )
        await messages.warm_up(third * WARM_UP_PART)
        mcp_warm = await around.resident_mb("mcp_endpoint")
        await messages.send_for(third * (1 - WARM_UP_PART))
        mcp_end = await around.resident_mb("mcp_endpoint")
        await forms.warm_up(third * WARM_UP_PART)
        oauth_warm = await around.resident_mb("oauth")
        await forms.send_for(third * (1 - WARM_UP_PART))
        described = await _described(around, third, seed)
        oauth_end = await around.resident_mb("oauth")
    return Report(
        seed=seed,
        tallies=(messages.tally, forms.tally, described),
        memories=(
            Memory("mcp_endpoint", mcp_warm, mcp_end),
            Memory("oauth", oauth_warm, oauth_end),
        ),
    )


async def _messages(around: Premises, number: int) -> st.SearchStrategy[Request]:
    await around.plan_faults(number)
    return json_rpc.requests(around.access_token)


async def _forms(around: Premises) -> st.SearchStrategy[Request]:
    return oauth_forms.requests(await around.sign_in_under_way())


async def _described(around: Premises, seconds: float, seed: int) -> Tally:
    settings = OAuthFunctionSettings.from_environment(around.variables("oauth"))
    app = compose(settings).server.app
    assert isinstance(app, FastAPI)  # noqa: S101 - what the composition plugs in
    document = oauth_api.openapi_of(app, await around.sign_in_under_way())
    tally = Tally("OAuth, Schemathesis")
    await asyncio.to_thread(
        by_schemathesis.run,
        document,
        url=around.oauth_url,
        seconds=seconds,
        seed=seed,
        tally=tally,
    )
    return tally
