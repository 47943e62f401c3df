"""What the site has found for a person: found again only by them, and only the same search.

Never a way to another person's results, nor to what was searched for: it is kept as a digest.
"""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any, Final, LiteralString

from shared.domain.content import SearchHit, SearchPage, SearchQuery
from shared.domain.identifiers import UserId
from shared.state.database import Transaction

SEARCHES_PER_PERSON_MAX: Final = 30
KEPT_SECONDS_MAX: Final = 86_400.0
PAGE_CHARACTERS_MAX: Final = 100_000
"""A longer one is not kept."""

_KEEP: LiteralString = "SELECT app.keep_search(%(user_id)s, %(hash)s, %(page)s, %(items_max)s)"

_FIND: LiteralString = """
    SELECT page, age_seconds FROM app.find_search(%(user_id)s, %(hash)s, %(seconds_max)s)
"""

_FORGET: LiteralString = "SELECT app.forget_searches(%(user_id)s)"


def digest_of(query: SearchQuery) -> bytes:
    """What tells one search from another; of a normalised query."""
    return hashlib.sha256(json.dumps(asdict(query), sort_keys=True).encode()).digest()


def text_of(page: SearchPage) -> str | None:
    """A page as it is kept; None where it is too long for that."""
    found = {"hits": [asdict(hit) for hit in page.hits], "total": page.total, "offset": page.offset}
    text = json.dumps(found, sort_keys=True)
    return text if len(text) <= PAGE_CHARACTERS_MAX else None


async def keep(tx: Transaction, user_id: UserId, query: SearchQuery, text: str) -> None:
    """Remember that the site has found this text of ``text_of`` for the person just now."""
    await tx.execute(
        _KEEP,
        {
            "user_id": user_id,
            "hash": digest_of(query),
            "page": text,
            "items_max": SEARCHES_PER_PERSON_MAX,
        },
    )


async def find(
    tx: Transaction, user_id: UserId, query: SearchQuery, *, seconds_max: float
) -> SearchPage | None:
    """What was found for the person within ``seconds_max``, a day at most, with its age."""
    params: dict[str, object] = {
        "user_id": user_id,
        "hash": digest_of(query),
        "seconds_max": min(seconds_max, KEPT_SECONDS_MAX),
    }
    found = await tx.row(_FIND, params)
    if found is None:
        return None
    return replace(_page(json.loads(found["page"])), age_seconds=found["age_seconds"])


async def forget(tx: Transaction, user_id: UserId) -> None:
    """The site does not let the person search."""
    await tx.execute(_FORGET, {"user_id": user_id})


def _page(members: dict[str, Any]) -> SearchPage:
    return SearchPage(
        hits=tuple(_hit(one) for one in members["hits"]),
        total=members["total"],
        offset=members["offset"],
    )


def _hit(members: dict[str, Any]) -> SearchHit:
    return SearchHit(**{**members, "drupal_versions": tuple(members["drupal_versions"])})
