"""Cuts a long Markdown text into parts that fit an answer.

Never loses or repeats a character: the parts, put together, are the text.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part, and where the next begins; None at the end."""

    text: str
    next_start: int | None


def part_of(text: str, *, start: int, characters_max: int) -> Part:
    """The part that begins at ``start``: cut between paragraphs, not inside a code block.

    Where no such place lies in the second half of the window, a line's or word's end will do.
    """
    if len(text) - start <= characters_max:
        return Part(text=text[start:], next_start=None)
    end = _cut(text, start, start + characters_max)
    return Part(text=text[start:end], next_start=end)


def _cut(text: str, start: int, limit: int) -> int:
    floor = (start + limit) // 2
    fences = [fence.start() for fence in _FENCE.finditer(text, 0, limit)]
    position = limit
    while (position := text.rfind("\n\n", floor, position)) > 0:
        inside_code = bisect_left(fences, position) % 2 == 1
        if not inside_code:
            return position + 2
    for separator in ("\n", " "):
        position = text.rfind(separator, floor, limit)
        if position > 0:
            return position + 1
    return limit
