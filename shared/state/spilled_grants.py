"""Grants for which a pair lies in the second store, whatever has become of them since."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from shared.domain.grants import Grant, GrantStatus
from shared.domain.identifiers import ClientId, UpstreamSubject, UserId
from shared.domain.spilled_pairs import SpilledPair
from shared.state.database import Transaction

# An ended grant's own pair may be forgotten: Drupal was told, before the later pair was known of.
_FIND: LiteralString = """
    SELECT g.user_id, g.client_id, u.subject, u.salt, g.status, g.pair_generation,
           g.access_expires_at, g.suspended_until, app.now() AS now
      FROM app.grants g JOIN app.users u USING (user_id)
     WHERE g.grant_id = %(grant_id)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpillOwner:
    """The grant as it would be with the spilled pair, and the generation that it has."""

    grant: Grant
    stored_generation: int
    now: datetime
    """Database time."""


async def owner(tx: Transaction, spilled: SpilledPair) -> SpillOwner | None:
    """Whose pair it is; None once the grant is forgotten, or its person is."""
    found = await tx.row(_FIND, {"grant_id": spilled.grant_id})
    if found is None or found["salt"] is None:
        return None
    grant = Grant(
        grant_id=spilled.grant_id,
        user_id=UserId(found["user_id"]),
        client_id=ClientId(found["client_id"]),
        subject=UpstreamSubject(found["subject"] or ""),
        user_salt=bytes(found["salt"]),
        status=GrantStatus(found["status"]),
        pair=spilled.pair,
        pair_generation=spilled.pair_generation,
        access_expires_at=found["access_expires_at"],
        suspended_until=found["suspended_until"],
    )
    return SpillOwner(grant=grant, stored_generation=found["pair_generation"], now=found["now"])
