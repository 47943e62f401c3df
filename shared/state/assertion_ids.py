"""Assertions by which clients proved themselves: each counts once, by the database's clock."""

import hashlib
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

from shared.domain.identifiers import ClientId
from shared.state.database import Transaction

LIFE_SECONDS_MAX = 300
"""An assertion that is valid for longer is refused: it is made for one request."""
CLOCK_SKEW_SECONDS_MAX = 30
"""A client's clock may be ahead of ours by this much."""

# Of two at once with one `jti` the second waits for the first, then finds its row.
_ACCEPT: LiteralString = """
    WITH used AS (
        INSERT INTO app.assertion_ids (client_id, jti_hash, request_id, expires_at)
        SELECT %(client_id)s, %(jti_hash)s, %(request_id)s, to_timestamp(%(expires_at)s)
         WHERE to_timestamp(%(expires_at)s) > app.now()
           AND to_timestamp(%(expires_at)s) <= app.now() + make_interval(secs => %(life)s)
           AND to_timestamp(%(valid_from)s) <= app.now() + make_interval(secs => %(skew)s)
        ON CONFLICT DO NOTHING
        RETURNING request_id
    )
    SELECT request_id FROM used
    UNION ALL
    SELECT request_id FROM app.assertion_ids
     WHERE client_id = %(client_id)s AND jti_hash = %(jti_hash)s AND request_id = %(request_id)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionUse:
    """One use of an assertion; its times are seconds since the epoch."""

    client_id: ClientId
    jti: str = field(repr=False)
    request_id: UUID
    expires_at: float
    valid_from: float


async def accept(tx: Transaction, use: AssertionUse) -> bool:
    """Whether the assertion is valid at this moment and was used by no other request."""
    row = await tx.row(
        _ACCEPT,
        {
            "client_id": use.client_id,
            "jti_hash": hashlib.sha256(use.jti.encode()).digest(),
            "request_id": use.request_id,
            "expires_at": use.expires_at,
            "valid_from": use.valid_from,
            "life": LIFE_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX,
            "skew": CLOCK_SKEW_SECONDS_MAX,
        },
    )
    return row is not None
