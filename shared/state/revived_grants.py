"""Takes the end of a grant back whose pair has turned up.

Only an end that was for want of a living pair: never one by a person, by a reuse, or by time, and
nothing of a person who is to be erased.
"""

from dataclasses import dataclass
from typing import LiteralString

from shared.domain.grants import SealedPair
from shared.domain.identifiers import GrantId
from shared.domain.sessions import REVIVABLE_CAUSES, EndCause
from shared.state.database import Transaction
from shared.state.grants import keep_alive_seconds

# The sessions that ended with the grant: same moment, same cause. One that a person ended before
# stays ended. The outbox is left as it is: who works it off sees that the grant lives.
_REVIVE: LiteralString = """
    WITH dead AS (
        SELECT grant_id, ended_at, ended_cause FROM app.grants
         WHERE grant_id = %(grant_id)s AND pair_generation = %(pair_generation)s
           AND status = 'ended' AND ended_cause = ANY(%(causes)s)
           AND EXISTS (SELECT 1 FROM app.users u
                        WHERE u.user_id = grants.user_id AND u.erasure_requested_at IS NULL)
           FOR NO KEY UPDATE
    ), revived AS (
        UPDATE app.grants g
           SET pair_ciphertext = %(ciphertext)s, key_generation = %(key_generation)s,
               pair_generation = g.pair_generation + 1, status = 'active', suspended_until = NULL,
               ended_at = NULL, ended_cause = NULL,
               access_expires_at = app.now() + make_interval(secs => %(life_seconds)s),
               refresh_at = app.now() + make_interval(secs => %(refresh_after_seconds)s),
               keep_alive_at = app.now() + make_interval(secs => %(keep_alive_seconds)s),
               refresh_failures = 0, lease_owner = NULL, lease_until = NULL
          FROM dead WHERE g.grant_id = dead.grant_id
        RETURNING g.client_family
    ), opened AS (
        UPDATE app.sessions s SET ended_at = NULL, ended_cause = NULL
          FROM dead
         WHERE s.grant_id = dead.grant_id AND s.ended_at = dead.ended_at
           AND s.ended_cause = dead.ended_cause
        RETURNING s.session_id
    )
    SELECT client_family, (SELECT count(*) FROM opened) AS sessions,
           (SELECT ended_cause FROM dead) AS ended_cause
      FROM revived
"""


@dataclass(frozen=True, slots=True)
class Revived:
    """What came back with a grant, and why it had ended."""

    client_family: str
    sessions: int
    ended_cause: EndCause


async def revive(
    tx: Transaction,
    *,
    grant_id: GrantId,
    pair_generation: int,
    pair: SealedPair,
    life_seconds: int,
    refresh_after_seconds: float | None,
) -> Revived | None:
    """Give an ended grant its next pair, and its sessions back; None if its end is for good.

    ``pair_generation`` is that of the pair which was refused, as for ``grants.store_pair``.
    """
    found = await tx.row(
        _REVIVE,
        {
            "grant_id": grant_id,
            "pair_generation": pair_generation,
            "causes": sorted(cause.value for cause in REVIVABLE_CAUSES),
            "ciphertext": pair.ciphertext,
            "key_generation": pair.key_generation,
            "life_seconds": life_seconds,
            "refresh_after_seconds": refresh_after_seconds,
            "keep_alive_seconds": keep_alive_seconds(),
        },
    )
    if found is None:
        return None
    return Revived(
        client_family=found["client_family"],
        sessions=found["sessions"],
        ended_cause=EndCause(found["ended_cause"]),
    )
