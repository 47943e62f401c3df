"""The two public doors as a check sees them: a request, an answer, and whatever carries both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Door(StrEnum):
    """The functions that outsiders reach."""

    MCP = "mcp"
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request; ``path`` may carry a query, header names are lower case."""

    door: Door
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class NoAnswerError(Exception):
    """Nothing that can be read came back: refused, cut off, too slow, or no HTTP."""


class Doors(Protocol):
    """Whatever carries a question to a door: HTTPS, or an invocation of one version."""

    async def ask(self, question: Question) -> Answered:
        """Carry it there and the answer back.

        Raises:
            NoAnswerError: there was none.
        """
