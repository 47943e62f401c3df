"""What is noted of a call for statistics, and what a query must lose before it is.

A noted query is for finding out what people look for; it must never tell who somebody is, and
never holds what gives access to anything.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.domain.content import SearchPage

QUERY_CHARACTERS_MAX: Final = 120
"""Longer ones are whole sentences, which are rarely asked twice."""
QUERY_READ_CHARACTERS_MAX: Final = 2_000
"""What comes after is not even looked at; so the rules below take bounded time."""
FOUND_IDS_MAX: Final = 50
DIGITS_MAX: Final = 5
"""Longer numbers are telephones, cards and accounts; versions, years and node ids are shorter."""
TOKEN_CHARACTERS_MIN: Final = 20
"""A word this long that mixes letters and digits is a key, a token or a hash."""
WORD_CHARACTERS_MAX: Final = 60

_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]{0,20}://\S*")
# Digits with what people write between them: 0049 (171) 555-1234, 4111-1111-1111-1111, 1.2.3.4.
_NUMBER: Final = re.compile(rf"\+?\d(?:[ ()/.:-]{{0,2}}\d){{{DIGITS_MAX},}}")
_WORD: Final = re.compile(r"\S+")
_OURS: Final = re.compile(r"(?:dmcp_|eyj|def502|bearer$|basic$)")


class Entitlement(StrEnum):
    """What the site said about a person's right to what was asked for."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    UNASKED = "unasked"
    """Nothing: the call needed no right, failed before it came to that, or a copy answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What was searched for, and what was found, in the site's order."""

    query: str | None
    offset: int
    content_ids: tuple[str, ...]


def searched(keywords: str, page: SearchPage) -> Searched:
    """What is noted of a search that brought ``page``."""
    found = tuple(hit.content_id for hit in page.hits[:FOUND_IDS_MAX])
    return Searched(query=normalised_query(keywords), offset=page.offset, content_ids=found)


def normalised_query(keywords: str) -> str | None:
    """The query in one spelling, without what could be personal; None where nothing is left.

    E-mail addresses, web addresses, long numbers and anything like a token are replaced by what
    they are. At most ``QUERY_CHARACTERS_MAX`` characters.
    """
    text = unicodedata.normalize("NFKC", keywords[:QUERY_READ_CHARACTERS_MAX]).casefold()
    text = "".join(char if char.isprintable() else " " for char in text)
    text = _EMAIL.sub(" [email] ", text)
    text = _ADDRESS.sub(" [address] ", text)
    text = _WORD.sub(_without_tokens, text)
    text = _NUMBER.sub(" [number] ", text)
    words = " ".join(text.split())
    if len(words) > QUERY_CHARACTERS_MAX:
        words = words[:QUERY_CHARACTERS_MAX].rsplit(" ", 1)[0]
    return words or None


def _without_tokens(found: re.Match[str]) -> str:
    word = found.group()
    return "[token]" if _is_token(word) else word


def _is_token(word: str) -> bool:
    if _OURS.match(word) or len(word) > WORD_CHARACTERS_MAX:
        return True
    letters = any(char.isalpha() for char in word)
    digits = sum(char.isdigit() for char in word)
    return len(word) >= TOKEN_CHARACTERS_MIN and letters and digits > 1
