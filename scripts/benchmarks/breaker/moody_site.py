"""A JSON-RPC endpoint with moods, in a process of its own.

Counts every request that reaches it; never reads more of one than its JSON.
"""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from scripts.benchmarks.refresh.children import Pipe

ANSWER_SECONDS: Final = 0.02
DAWDLE_SECONDS: Final = 4.5
"""Longer than the slow limit, and a success all the same."""
_GOOD: Final = b'{"jsonrpc":"2.0","id":null,"result":{"title":"A tutorial"}}'
_BAD: Final = b"The website encountered an unexpected error."


class Mood(StrEnum):
    """What the site does with a request."""

    WELL = "well"
    HANGS = "hangs"
    """Takes it and never answers."""
    DAWDLES = "dawdles"
    FAILS_THREE_OF_FOUR = "fails_three_of_four"
    """For each caller's process in turn, so never four in a row."""
    FAILS_NOW_AND_THEN = "fails_now_and_then"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """A mood, and the share of failures where it has one."""

    mood: Mood
    failing_share: float = 0.0


class MoodySite:
    """Answers by its mood."""

    def __init__(self) -> None:
        self.state = SiteState(mood=Mood.WELL)
        self.reached = 0
        self._turns: Counter[int] = Counter()
        self._chance = random.Random(11)  # noqa: S311 - the same accidents in every run
        self._never = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it closes."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                self.reached += 1
                await self._answer(json.loads(body), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        mood = self.state.mood
        if mood is Mood.HANGS:
            await self._never.wait()
        await asyncio.sleep(DAWDLE_SECONDS if mood is Mood.DAWDLES else ANSWER_SECONDS)
        fails = self._fails(mood, request["params"]["process"])
        status, content = ("500 Error", _BAD) if fails else ("200 OK", _GOOD)
        kind = "text/html" if fails else "application/json"
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        await writer.drain()

    def _fails(self, mood: Mood, process: int) -> bool:
        if mood is Mood.FAILS_THREE_OF_FOUR:
            self._turns[process] += 1
            return self._turns[process] % 4 != 0
        if mood is Mood.FAILS_NOW_AND_THEN:
            return self._chance.random() < self.state.failing_share
        return False


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def serve(pipe: Pipe) -> None:
    """Answer HTTP, and the parent's commands, until the pipe closes."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Pipe) -> None:
    site = MoodySite()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, backlog=1_024)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    while True:
        try:
            command, arguments = await loop.run_in_executor(None, pipe.recv)
        except EOFError:
            return
        if command == "be":
            site.state = arguments[0]
            site.reached, reached = 0, site.reached
            pipe.send(reached)
        else:
            pipe.send(f"http://127.0.0.1:{port}")
