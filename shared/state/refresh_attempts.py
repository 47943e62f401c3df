"""Calls of Drupal's token endpoint, written down before they are made.

An attempt without an outcome means that Drupal may have rotated the pair. Never delete one to
resolve the doubt.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from shared.domain.identifiers import GrantId
from shared.state.database import DatabaseStatementError, Transaction

# The row that is inserted is not yet there for the question after other ones.
_BEGIN: LiteralString = """
    WITH begun AS (
        INSERT INTO app.refresh_attempts (attempt_id, grant_id, pair_generation)
        VALUES (%(attempt_id)s, %(grant_id)s, %(pair_generation)s)
    )
    SELECT app.now() AS started_at, EXISTS (
        SELECT 1 FROM app.refresh_attempts
         WHERE grant_id = %(grant_id)s AND pair_generation = %(pair_generation)s
           AND (outcome IS NULL OR outcome = %(lost)s)) AS after_doubt
"""

# What was given up may come back; every other outcome is the last word.
_FINISH: LiteralString = """
    UPDATE app.refresh_attempts SET finished_at = app.now(), outcome = %(outcome)s
     WHERE attempt_id = %(attempt_id)s AND (outcome IS NULL OR outcome = %(lost)s)
"""

_ANY_LOST: LiteralString = """
    SELECT 1 AS found FROM app.refresh_attempts
     WHERE grant_id = %(grant_id)s AND pair_generation = %(pair_generation)s
       AND outcome = %(lost)s
     LIMIT 1
"""

_IN_DOUBT: LiteralString = """
    SELECT 1 AS found FROM app.refresh_attempts
     WHERE grant_id = %(grant_id)s AND pair_generation = %(pair_generation)s
       AND outcome IS NULL AND attempt_id <> %(except_attempt_id)s
     LIMIT 1
"""

# No row at all is no doubt.
_IN_DOUBT_SINCE: LiteralString = """
    SELECT min(started_at) >= app.now() - make_interval(secs => %(seconds)s) AS recent
      FROM app.refresh_attempts
     WHERE grant_id = %(grant_id)s AND pair_generation = %(pair_generation)s
       AND outcome IS NULL
"""

_GIVE_UP: LiteralString = """
    UPDATE app.refresh_attempts SET finished_at = app.now(), outcome = %(outcome)s
     WHERE grant_id = %(grant_id)s AND pair_generation = %(pair_generation)s
       AND outcome IS NULL AND started_at < app.now() - make_interval(secs => %(seconds)s)
"""

REPLY_LOST = "reply_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt that has been written down."""

    attempt_id: UUID
    started_at: datetime
    """Database time."""
    after_doubt: bool
    """An earlier attempt on the same pair has no outcome, or its answer was given up."""


async def begin(
    tx: Transaction, *, attempt_id: UUID, grant_id: GrantId, pair_generation: int
) -> Begun:
    """Write down that Drupal is about to be asked to rotate this pair."""
    found = await tx.row(
        _BEGIN,
        {
            "attempt_id": attempt_id,
            "grant_id": grant_id,
            "pair_generation": pair_generation,
            "lost": REPLY_LOST,
        },
    )
    if found is None:
        raise DatabaseStatementError({"rows": 0})
    return Begun(
        attempt_id=attempt_id, started_at=found["started_at"], after_doubt=found["after_doubt"]
    )


async def finish(tx: Transaction, *, attempt_id: UUID, outcome: str) -> None:
    """Write down how it went; leave it out where it is not known."""
    await tx.execute(_FINISH, {"attempt_id": attempt_id, "outcome": outcome, "lost": REPLY_LOST})


async def any_lost(tx: Transaction, *, grant_id: GrantId, pair_generation: int) -> bool:
    """Whether the answer to some attempt on this pair was given up."""
    found = await tx.row(
        _ANY_LOST,
        {"grant_id": grant_id, "pair_generation": pair_generation, "lost": REPLY_LOST},
    )
    return found is not None


async def in_doubt(
    tx: Transaction, *, grant_id: GrantId, pair_generation: int, except_attempt_id: UUID
) -> bool:
    """Whether another attempt on this pair has no known outcome."""
    found = await tx.row(
        _IN_DOUBT,
        {
            "grant_id": grant_id,
            "pair_generation": pair_generation,
            "except_attempt_id": except_attempt_id,
        },
    )
    return found is not None


async def in_doubt_since(
    tx: Transaction, *, grant_id: GrantId, pair_generation: int, seconds_max: float
) -> bool:
    """Whether attempts on this pair are in doubt, the first of them for ``seconds_max`` at most."""
    found = await tx.row(
        _IN_DOUBT_SINCE,
        {"grant_id": grant_id, "pair_generation": pair_generation, "seconds": seconds_max},
    )
    return found is not None and bool(found["recent"])


async def give_up(
    tx: Transaction, *, grant_id: GrantId, pair_generation: int, older_than_seconds: float
) -> int:
    """Stop waiting for the pair of attempts in doubt that began longer ago: their number.

    Their outcome becomes ``REPLY_LOST``: Drupal rotated the pair and its answer reached nobody.
    """
    return await tx.execute(
        _GIVE_UP,
        {
            "grant_id": grant_id,
            "pair_generation": pair_generation,
            "seconds": older_than_seconds,
            "outcome": REPLY_LOST,
        },
    )
