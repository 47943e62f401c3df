"""What the site has shown to a person: read again only by them, and only while the site is away.

Never a way to what somebody else was shown: every statement asks for whom.
"""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any, Final, LiteralString

from shared.domain.content import Document
from shared.domain.identifiers import UserId
from shared.state.database import Transaction

ITEMS_PER_PERSON_MAX: Final = 50
SHOWN_HOURS_MAX: Final = 24
DOCUMENT_CHARACTERS_MAX: Final = 400_000
"""A longer one is not kept."""

_NOTE: LiteralString = """
    SELECT app.note_shown(%(user_id)s, %(content_id)s, %(body_hash)s, %(items_max)s) AS wanted
"""

_STORE: LiteralString = "SELECT app.store_body(%(document)s)"

_FIND: LiteralString = """
    SELECT document, age_seconds FROM app.find_shown(%(user_id)s, %(content_id)s, %(hours_max)s)
"""

_FORGET: LiteralString = "SELECT app.forget_shown(%(user_id)s, %(content_id)s::text)"


def text_of(document: Document) -> str | None:
    """A document as it is kept; None where it is too long for that."""
    text = json.dumps({**asdict(document), "age_seconds": None}, sort_keys=True)
    return text if len(text) <= DOCUMENT_CHARACTERS_MAX else None


async def note(tx: Transaction, user_id: UserId, content_id: str, text: str) -> None:
    """Remember that the person was shown this text of ``text_of``."""
    found = await tx.row(
        _NOTE,
        {
            "user_id": user_id,
            "content_id": content_id,
            "body_hash": hashlib.sha256(text.encode()).digest(),
            "items_max": ITEMS_PER_PERSON_MAX,
        },
    )
    if found is not None and found["wanted"]:
        await tx.execute(_STORE, {"document": text})


async def find(tx: Transaction, user_id: UserId, content_id: str) -> Document | None:
    """What the person was shown within ``SHOWN_HOURS_MAX``, with its age."""
    params: dict[str, object] = {
        "user_id": user_id,
        "content_id": content_id,
        "hours_max": SHOWN_HOURS_MAX,
    }
    found = await tx.row(_FIND, params)
    if found is None:
        return None
    return replace(_document(json.loads(found["document"])), age_seconds=found["age_seconds"])


async def forget(tx: Transaction, user_id: UserId, content_id: str | None) -> None:
    """The site refuses this to the person; None: it refuses the person."""
    await tx.execute(_FORGET, {"user_id": user_id, "content_id": content_id})


def _document(members: dict[str, Any]) -> Document:
    return Document(**{**members, "drupal_versions": tuple(members["drupal_versions"])})
