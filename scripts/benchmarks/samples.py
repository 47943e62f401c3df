"""Numbers that survive a noisy machine: medians and percentiles of interleaved runs.

Never an average: one stall of the machine would move it.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What many runs of the same thing came to, in the unit of its values."""

    runs: int
    median: float
    p95: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The middle and the end of many runs of the same thing, in the unit of its values."""

    runs: int
    median: float
    p95: float
    p99: float


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summary(values: Sequence[float]) -> Summary:
    """The summary of at least one value."""
    return Summary(
        runs=len(values),
        median=statistics.median(values),
        p95=percentile(values, 95),
        least=min(values),
        most=max(values),
    )


def tail(values: Sequence[float]) -> Tail:
    """The tail of at least one value."""
    return Tail(
        runs=len(values),
        median=statistics.median(values),
        p95=percentile(values, 95),
        p99=percentile(values, 99),
    )


def ratio(ours: float, yardstick: float) -> float | None:
    """How many times the yardstick ours is; None where that says nothing."""
    return ours / yardstick if yardstick > 0 else None


def interleaved(rounds: int, things: Sequence[T]) -> list[T]:
    """Every thing once a round, each round beginning with another one.

    What slows the machine down for a while then slows all of them down.
    """
    count = len(things)
    return [things[(index + turn) % count] for turn in range(rounds) for index in range(count)]
