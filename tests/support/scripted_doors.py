"""Doors that answer what a test says; what they were asked is kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.checks.doors import Answered, NoAnswerError, Question


def answered(status: int, body: Any = None, **headers: str) -> Answered:
    """An answer; a body that is no bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answered(status, {name.replace("_", "-"): text for name, text in headers.items()}, raw)


@dataclass
class ScriptedDoors:
    """Answers by the function given; None stands for no answer."""

    answer: Callable[[Question], Answered | None]
    asked: list[Question] = field(default_factory=list)

    async def ask(self, question: Question) -> Answered:
        """Answer as scripted."""
        self.asked.append(question)
        answer = self.answer(question)
        if answer is None:
            raise NoAnswerError
        return answer
