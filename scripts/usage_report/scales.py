"""Axes: round numbers from zero on, and how a number is written."""

import math
from collections.abc import Sequence

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def ticks(highest: float, *, count_max: int = 5, whole: bool = True) -> list[float]:
    """Round values from 0 to at least ``highest``; at most ``count_max`` beside zero."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / count_max
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(magnitude * one for one in STEPS if magnitude * one >= raw * (1 - 1e-9))
    if whole:
        step = max(1.0, math.ceil(step))
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def number(value: float) -> str:
    """A number for people: 1,234 or 12.5 or 0.04."""
    if value == 0:
        return "0"
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.2g}"


def every(names: Sequence[str], *, labels_max: int) -> list[tuple[int, str]]:
    """Places and names of so many labels at most, evenly apart."""
    step = max(1, math.ceil(len(names) / labels_max))
    return [(place, names[place]) for place in range(0, len(names), step)]
