"""The site's words as plain text for a model: no markup, nothing invisible, bounded.

Never lets a character through that shows nothing and means something.
"""

from shared.upstream.markdown import to_text

_READ_TIMES = 4
"""Markup may take a multiple of what is left of it; beyond that nobody reads on."""


def plain_text(text: str, characters_max: int) -> str:
    """``text`` on one line, at most ``characters_max`` characters."""
    short = to_text(text[: characters_max * _READ_TIMES])
    visible = "".join(character for character in short if character.isprintable())
    if len(visible) <= characters_max:
        return visible
    return visible[: characters_max - 1].rstrip() + "…"
