"""A short name for each statement, read off its text: the verb, and what it is about.

Statements are constants of the code, so there are only so many names; values are never looked at.
"""

import functools
import re
from typing import Final

REMEMBERED_MAX: Final = 512

_ABOUT = re.compile(r"\bapp\.([a-z_]+)")
_CLOCK: Final = "now"
_WORD = re.compile(r"[A-Za-z]+")
_MAIN_VERB = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")


@functools.lru_cache(maxsize=REMEMBERED_MAX)
def name_of(sql: str) -> str:
    """Such as ``select.authenticate_call``, ``update.grants`` or ``commit``."""
    word = _WORD.search(sql)
    verb = word[0] if word else "other"
    if verb.upper() == "WITH":
        main = _MAIN_VERB.search(sql)
        verb = main[1] if main else "SELECT"
    about = next((found for found in _ABOUT.findall(sql) if found != _CLOCK), None)
    return f"{verb}.{about}".lower() if about else verb.lower()
