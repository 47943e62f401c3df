"""People to be erased: who they are goes first, what opens their tokens once Drupal was told.

An erased person's row stays as an id without meaning while grants refer to it.
"""

from dataclasses import dataclass
from typing import LiteralString

from shared.domain.identifiers import ClientId, GrantId, UpstreamSubject, UserId
from shared.state.database import Transaction

# The person can sign in again at once: as somebody new, with a salt of their own.
_BEGIN: LiteralString = """
    WITH begun AS (
        UPDATE app.users SET subject = 'erased:' || user_id, erasure_requested_at = app.now()
         WHERE user_id = %(user_id)s AND erasure_requested_at IS NULL
        RETURNING user_id
    ), visits AS (
        DELETE FROM app.account_visits v USING begun WHERE v.user_id = begun.user_id
    ), tools AS (
        DELETE FROM app.tool_catalogue t USING begun WHERE t.user_id = begun.user_id
    ), shown AS (
        DELETE FROM app.content_shown c USING begun WHERE c.user_id = begun.user_id
    ), kept AS (
        DELETE FROM app.kept_searches k USING begun WHERE k.user_id = begun.user_id
    ), searches AS (
        DELETE FROM app.searches_shown s USING begun WHERE s.user_id = begun.user_id
    ), queries AS (
        UPDATE app.usage_events e SET query = NULL FROM begun
         WHERE e.user_id = begun.user_id AND e.query IS NOT NULL
    )
    SELECT user_id FROM begun
"""

_HELD: LiteralString = """
    SELECT u.user_id,
           (SELECT count(*) FROM app.grants g WHERE g.user_id = u.user_id
               AND g.status <> 'ended') AS open_grants,
           (SELECT count(*) FROM app.grants g WHERE g.user_id = u.user_id
               AND g.pair_ciphertext IS NOT NULL) AS sealed_pairs,
           (SELECT count(*) FROM app.sessions s JOIN app.grants g USING (grant_id)
             WHERE g.user_id = u.user_id AND s.ended_at IS NULL) AS open_sessions,
           (SELECT count(*) FROM app.discarded_pairs d
             WHERE d.user_id = u.user_id) AS discarded_pairs
      FROM app.users u WHERE u.site = %(site)s AND u.subject = %(subject)s
"""

_OPEN_GRANTS: LiteralString = """
    SELECT g.grant_id, g.user_id, g.client_id FROM app.grants g JOIN app.users u USING (user_id)
     WHERE u.erasure_requested_at IS NOT NULL AND u.erased_at IS NULL AND g.status <> 'ended'
     ORDER BY g.grant_id LIMIT %(limit)s
"""

# A sign-in that read the salt a moment before the request may still store a grant: it is waited
# for, and ended like the others.
_READY: LiteralString = """
    SELECT user_id, told FROM (
        SELECT u.user_id, u.erasure_requested_at,
               NOT EXISTS (SELECT 1 FROM app.grants g
                            WHERE g.user_id = u.user_id AND g.pair_ciphertext IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM app.discarded_pairs d
                            WHERE d.user_id = u.user_id) AS told
          FROM app.users u
         WHERE u.erasure_requested_at <= app.now() - make_interval(secs => %(settle_seconds)s)
           AND u.erased_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM app.grants g
                            WHERE g.user_id = u.user_id AND g.status <> 'ended')
    ) AS settled
     WHERE told
        OR erasure_requested_at <= app.now() - make_interval(secs => %(wait_seconds)s)
     ORDER BY erasure_requested_at LIMIT %(limit)s
"""

_FINISH: LiteralString = """
    WITH erased AS (
        UPDATE app.users SET salt = NULL, erased_at = app.now()
         WHERE user_id = %(user_id)s AND erasure_requested_at IS NOT NULL AND erased_at IS NULL
        RETURNING user_id
    ), pairs AS (
        UPDATE app.grants g SET pair_ciphertext = NULL, key_generation = NULL
          FROM erased WHERE g.user_id = erased.user_id AND g.pair_ciphertext IS NOT NULL
    ), untold AS (
        DELETE FROM app.revocation_outbox o USING app.grants g, erased
         WHERE o.grant_id = g.grant_id AND g.user_id = erased.user_id
    ), discarded AS (
        DELETE FROM app.discarded_pairs d USING erased WHERE d.user_id = erased.user_id
    )
    SELECT user_id FROM erased
"""

_PENDING: LiteralString = """
    SELECT count(*) AS pending FROM app.users
     WHERE erasure_requested_at IS NOT NULL AND erased_at IS NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOfPerson:
    """What there is of a person, in numbers."""

    user_id: UserId
    open_grants: int
    open_sessions: int
    sealed_pairs: int
    discarded_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGrant:
    """A grant that is still to be ended."""

    grant_id: GrantId
    user_id: UserId
    client_id: ClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyToErase:
    """A person whose salt can go; ``told`` says whether Drupal has heard of every pair."""

    user_id: UserId
    told: bool


async def held(tx: Transaction, *, site: str, subject: UpstreamSubject) -> HeldOfPerson | None:
    """What there is of this person of the site, or None: nobody of that id was ever here."""
    found = await tx.row(_HELD, {"site": site, "subject": subject})
    if found is None:
        return None
    return HeldOfPerson(
        user_id=UserId(found["user_id"]),
        open_grants=found["open_grants"],
        open_sessions=found["open_sessions"],
        sealed_pairs=found["sealed_pairs"],
        discarded_pairs=found["discarded_pairs"],
    )


async def begin(tx: Transaction, user_id: UserId) -> bool:
    """Forget who this is at the site; False if that was done before."""
    return await tx.row(_BEGIN, {"user_id": user_id}) is not None


async def open_grants(tx: Transaction, *, limit: int) -> list[OpenGrant]:
    """Up to ``limit`` grants of people in erasure that have not ended."""
    found = await tx.rows(_OPEN_GRANTS, {"limit": limit})
    return [
        OpenGrant(
            grant_id=GrantId(one["grant_id"]),
            user_id=UserId(one["user_id"]),
            client_id=ClientId(one["client_id"]),
        )
        for one in found
    ]


async def ready(
    tx: Transaction, *, settle_seconds: float, wait_seconds: float, limit: int
) -> list[ReadyToErase]:
    """People of whom Drupal was told everything, or who have waited for that long enough."""
    found = await tx.rows(
        _READY,
        {"settle_seconds": settle_seconds, "wait_seconds": wait_seconds, "limit": limit},
    )
    return [ReadyToErase(user_id=UserId(one["user_id"]), told=one["told"]) for one in found]


async def finish(tx: Transaction, user_id: UserId) -> bool:
    """Destroy the salt, and with it whatever was sealed for this person, here and elsewhere."""
    return await tx.row(_FINISH, {"user_id": user_id}) is not None


async def count_pending(tx: Transaction) -> int:
    """How many people are in erasure."""
    found = await tx.row(_PENDING)
    return 0 if found is None else int(found["pending"])
