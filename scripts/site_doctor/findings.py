"""What was found out about a site, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    GOOD = "good"
    ADVICE = "advice"
    """It works, and would work better otherwise."""
    BY_HAND = "by hand"
    """It cannot be seen from outside: somebody has to look at the site's settings."""
    BROKEN = "broken"
    """People cannot sign in, or cannot use what they signed in for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's outcome; ``told`` and ``remedy`` are whole sentences."""

    check: str
    verdict: Verdict
    told: str
    remedy: str = ""

    def __str__(self) -> str:
        """A line, and the remedy below it."""
        remedy = f"\n          {self.remedy}" if self.remedy else ""
        return f"{self.verdict.value.upper():<8}  {self.check}: {self.told}{remedy}"


def good(check: str, told: str) -> Finding:
    """All is as it should be."""
    return Finding(check=check, verdict=Verdict.GOOD, told=told)


def advice(check: str, told: str, remedy: str) -> Finding:
    """It could be better."""
    return Finding(check=check, verdict=Verdict.ADVICE, told=told, remedy=remedy)


def by_hand(check: str, told: str, remedy: str) -> Finding:
    """Somebody has to look."""
    return Finding(check=check, verdict=Verdict.BY_HAND, told=told, remedy=remedy)


def broken(check: str, told: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check=check, verdict=Verdict.BROKEN, told=told, remedy=remedy)
