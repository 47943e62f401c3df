"""Counts what was answered, and keeps what is wrong."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from scripts.fuzzing import verdicts
from scripts.fuzzing.exchange import Answer

FINDINGS_KEPT_MAX: Final = 20


@dataclass
class Tally:
    """One part of a run."""

    name: str
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)
    """What is wrong, and the first request that showed it; the first so many kinds."""
    slowest_seconds: float = 0.0

    @property
    def requests(self) -> int:
        """How many were answered."""
        return self.statuses.total()

    def add(self, request: object, answer: Answer) -> None:
        """Judge and count an answer; ``request`` is told only where something is wrong."""
        self.statuses[answer.status] += 1
        code = verdicts.code_of(answer)
        if code is not None:
            self.codes[code] += 1
        self.slowest_seconds = max(self.slowest_seconds, answer.seconds)
        for complaint in verdicts.complaints(answer):
            self.find(complaint, request)

    def find(self, complaint: str, request: object) -> None:
        """Keep something wrong."""
        if len(self.findings) < FINDINGS_KEPT_MAX:
            self.findings.setdefault(complaint, str(request))
