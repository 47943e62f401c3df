"""Grants and their sealed pairs.

A pair is written only where its generation is the one expected: never may a late worker put an
old pair over a new one.
"""

import secrets
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from shared.domain.grants import Grant, GrantStatus, SealedPair
from shared.domain.identifiers import ClientId, GrantId, UpstreamSubject, UserId
from shared.domain.known_clients import ClientFamily
from shared.domain.refresh_times import KEEP_ALIVE_JITTER_SECONDS_MAX, KEEP_ALIVE_SECONDS
from shared.domain.sessions import EndCause
from shared.state.database import Transaction

_EVER_SECONDS = 100 * 365 * 86_400.0
_random = secrets.SystemRandom()

_CREATE: LiteralString = """
    INSERT INTO app.grants
        (grant_id, user_id, client_id, pair_ciphertext, key_generation, access_expires_at,
         refresh_at, client_family)
    VALUES (%(grant_id)s, %(user_id)s, %(client_id)s, %(ciphertext)s, %(key_generation)s,
            app.now() + make_interval(secs => %(life_seconds)s),
            app.now() + make_interval(secs => %(refresh_after_seconds)s), %(client_family)s)
"""

_FIND: LiteralString = """
    SELECT g.grant_id, g.user_id, g.client_id, u.subject, u.salt, g.status, g.pair_ciphertext,
           g.key_generation, g.pair_generation, g.access_expires_at, g.suspended_until
      FROM app.grants g JOIN app.users u USING (user_id)
     WHERE g.grant_id = %(grant_id)s AND g.pair_ciphertext IS NOT NULL
"""

_FIND_LOCKED: LiteralString = _FIND + "FOR NO KEY UPDATE OF g"

_CLAIM: LiteralString = """
    UPDATE app.grants g
       SET lease_owner = %(lease_owner)s,
           lease_until = app.now() + make_interval(secs => %(lease_seconds)s)
      FROM app.users u
     WHERE g.grant_id = %(grant_id)s AND u.user_id = g.user_id
       AND g.pair_generation = %(pair_generation)s AND g.status <> 'ended'
       AND g.pair_ciphertext IS NOT NULL
       AND (g.lease_until IS NULL OR g.lease_until < app.now())
    RETURNING g.grant_id, g.user_id, g.client_id, u.subject, u.salt, g.status, g.pair_ciphertext,
              g.key_generation, g.pair_generation, g.access_expires_at, g.suspended_until
"""

_RELEASE: LiteralString = """
    UPDATE app.grants SET lease_owner = NULL, lease_until = NULL
     WHERE grant_id = %(grant_id)s AND lease_owner = %(lease_owner)s
"""

# Not fenced on the lease: a late worker may hold the only live pair. A suspension stays.
_STORE_PAIR: LiteralString = """
    UPDATE app.grants
       SET pair_ciphertext = %(ciphertext)s, key_generation = %(key_generation)s,
           pair_generation = pair_generation + 1,
           access_expires_at = app.now() + make_interval(secs => %(life_seconds)s),
           refresh_at = app.now() + make_interval(secs => %(refresh_after_seconds)s),
           keep_alive_at = app.now() + make_interval(secs => %(keep_alive_seconds)s),
           refresh_failures = 0, lease_owner = NULL, lease_until = NULL
     WHERE grant_id = %(grant_id)s AND pair_generation = %(pair_generation)s
       AND status <> 'ended'
"""

_SUSPEND: LiteralString = """
    UPDATE app.grants
       SET status = 'suspended', suspended_until = app.now() + make_interval(secs => %(seconds)s)
     WHERE grant_id = %(grant_id)s AND status <> 'ended'
"""

# A grant that is refreshed on demand only (no refresh_at) stays so.
_BACK_OFF: LiteralString = """
    UPDATE app.grants
       SET refresh_failures = refresh_failures + 1,
           refresh_at = CASE WHEN refresh_at IS NOT NULL
                             THEN app.now() + make_interval(secs => %(seconds)s) END
     WHERE grant_id = %(grant_id)s AND status <> 'ended'
"""

# In a statement of its own: an end that waited for the lock would not see the session that its
# holder, a redemption, has opened meanwhile.
_LOCK: LiteralString = """
    SELECT grant_id FROM app.grants WHERE grant_id = %(grant_id)s FOR NO KEY UPDATE
"""

_END: LiteralString = """
    WITH ended AS (
        UPDATE app.grants
           SET status = 'ended', ended_at = app.now(), ended_cause = %(cause)s, refresh_at = NULL,
               suspended_until = NULL, lease_owner = NULL, lease_until = NULL
         WHERE grant_id = %(grant_id)s AND status <> 'ended'
        RETURNING grant_id, client_family
    ), closed AS (
        UPDATE app.sessions s SET ended_at = app.now(), ended_cause = %(cause)s
          FROM ended WHERE s.grant_id = ended.grant_id AND s.ended_at IS NULL
        RETURNING s.session_id
    ), queued AS (
        INSERT INTO app.revocation_outbox (grant_id) SELECT grant_id FROM ended
        ON CONFLICT (grant_id) DO NOTHING
    )
    SELECT client_family, (SELECT count(*) FROM closed) AS sessions FROM ended
"""

# Whoever was not seen for long goes off the schedule until the next call refreshes on demand:
# left where it is, the row would be looked at by every tick.
_DUE: LiteralString = """
    WITH due AS (
        SELECT grant_id,
               last_used_at >= app.now() - make_interval(secs => %(seen_seconds)s) AS seen
          FROM app.grants
         WHERE status = 'active' AND refresh_at <= app.now()
         ORDER BY refresh_at LIMIT %(limit)s
           FOR NO KEY UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE app.grants g
           SET refresh_at = CASE WHEN due.seen
                                 THEN app.now() + make_interval(secs => %(push_seconds)s) END
          FROM due WHERE g.grant_id = due.grant_id
        RETURNING g.grant_id, g.pair_generation, due.seen
    )
    SELECT grant_id, pair_generation FROM taken WHERE seen
"""

# Suspended ones too: an account may be unblocked after weeks. The column is written for the default
# life of a refresh token; a site with another one shifts it.
_FADING: LiteralString = """
    WITH fading AS MATERIALIZED (
        SELECT grant_id FROM app.grants
         WHERE status <> 'ended'
           AND keep_alive_at <= app.now() + make_interval(secs => %(early_seconds)s)
         ORDER BY keep_alive_at LIMIT %(limit)s
           FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE app.grants g
       SET keep_alive_at = app.now() + make_interval(secs => %(push_seconds)s + %(early_seconds)s)
      FROM fading WHERE g.grant_id = fading.grant_id
    RETURNING g.grant_id, g.pair_generation
"""

_FORGET_PAIR: LiteralString = """
    WITH told AS (DELETE FROM app.revocation_outbox WHERE grant_id = %(grant_id)s)
    UPDATE app.grants SET pair_ciphertext = NULL, key_generation = NULL
     WHERE grant_id = %(grant_id)s AND status = 'ended'
"""

# A family is dead when neither its last refresh token nor any access token lives; a grant whose
# code was never redeemed has no family at all.
_IS_LAPSED: LiteralString = """
       g.status <> 'ended'
       AND g.created_at < app.now() - make_interval(secs => %(unredeemed_seconds)s)
       AND NOT EXISTS (
           SELECT 1 FROM app.sessions s
            WHERE s.grant_id = g.grant_id AND s.ended_at IS NULL
              AND s.absolute_expires_at > app.now()
              AND (EXISTS (SELECT 1 FROM app.refresh_tokens r
                            WHERE r.session_id = s.session_id AND r.used_at IS NULL
                              AND r.expires_at > app.now())
                OR EXISTS (SELECT 1 FROM app.access_tokens a
                            WHERE a.session_id = s.session_id AND a.expires_at > app.now())))
"""

_LOCK_LAPSED: LiteralString = (
    "SELECT g.grant_id FROM app.grants g WHERE "  # noqa: S608 - literals of this file
    + _IS_LAPSED
    + " ORDER BY g.created_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED"
)

# In a statement of its own: the one that locked saw the tables as they were before it held the
# rows, and a refresh or a redemption may have been committed since.
_STILL_LAPSED: LiteralString = (
    "SELECT g.grant_id FROM app.grants g"  # noqa: S608 - literals of this file
    " WHERE g.grant_id = ANY(%(grant_ids)s) AND " + _IS_LAPSED
)

UNREDEEMED_SECONDS_MAX = 3_600
"""A grant this old without any session lost its code on the way to the client."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended with a grant."""

    client_family: str
    sessions: int
    """Those that lived until now."""


async def create(
    tx: Transaction,
    *,
    grant_id: GrantId,
    user_id: UserId,
    client_id: ClientId,
    pair: SealedPair,
    life_seconds: int,
    refresh_after_seconds: float | None,
    client_family: ClientFamily = ClientFamily.OTHER,
) -> None:
    """Store a new grant with its first pair, which is pair generation 1.

    ``life_seconds`` is that of the access token; ``refresh_after_seconds`` is None for a pair
    that is refreshed on demand only.
    """
    await tx.execute(
        _CREATE,
        {
            "grant_id": grant_id,
            "user_id": user_id,
            "client_id": client_id,
            "ciphertext": pair.ciphertext,
            "key_generation": pair.key_generation,
            "life_seconds": life_seconds,
            "refresh_after_seconds": refresh_after_seconds,
            "client_family": client_family.value,
        },
    )


async def find(tx: Transaction, grant_id: GrantId) -> Grant | None:
    """The grant with its sealed pair, ended ones included; None once the pair is gone."""
    return _grant_or_none(await tx.row(_FIND, {"grant_id": grant_id}))


async def find_locked(tx: Transaction, grant_id: GrantId) -> Grant | None:
    """As ``find``; nobody stores a pair or ends the grant until the transaction is over."""
    return _grant_or_none(await tx.row(_FIND_LOCKED, {"grant_id": grant_id}))


async def claim(
    tx: Transaction,
    *,
    grant_id: GrantId,
    pair_generation: int,
    lease_owner: UUID,
    lease_seconds: float,
) -> Grant | None:
    """Take the right to refresh this very pair; None if it moved on, ended, or is leased."""
    return _grant_or_none(
        await tx.row(
            _CLAIM,
            {
                "grant_id": grant_id,
                "pair_generation": pair_generation,
                "lease_owner": lease_owner,
                "lease_seconds": lease_seconds,
            },
        )
    )


async def release(tx: Transaction, *, grant_id: GrantId, lease_owner: UUID) -> None:
    """Give the lease back, if it is still this owner's."""
    await tx.execute(_RELEASE, {"grant_id": grant_id, "lease_owner": lease_owner})


async def store_pair(
    tx: Transaction,
    *,
    grant_id: GrantId,
    pair_generation: int,
    pair: SealedPair,
    life_seconds: int,
    refresh_after_seconds: float | None,
) -> bool:
    """Replace the pair of ``pair_generation`` by the next one, and end the lease.

    False if the pair has moved on or the grant has ended: the caller reads again and decides.
    """
    stored = await tx.execute(
        _STORE_PAIR,
        {
            "grant_id": grant_id,
            "pair_generation": pair_generation,
            "ciphertext": pair.ciphertext,
            "key_generation": pair.key_generation,
            "life_seconds": life_seconds,
            "refresh_after_seconds": refresh_after_seconds,
            "keep_alive_seconds": keep_alive_seconds(),
        },
    )
    return stored == 1


async def suspend(tx: Transaction, *, grant_id: GrantId, seconds: float) -> None:
    """Stop background refresh, and calls for ``seconds``: Drupal refuses this person for now."""
    await tx.execute(_SUSPEND, {"grant_id": grant_id, "seconds": seconds})


async def back_off(tx: Transaction, *, grant_id: GrantId, seconds: float) -> None:
    """Count a refresh that came to nothing; the next one in the background waits ``seconds``."""
    await tx.execute(_BACK_OFF, {"grant_id": grant_id, "seconds": seconds})


async def end(tx: Transaction, *, grant_id: GrantId, cause: EndCause) -> Ended | None:
    """End the grant and its sessions, and queue telling Drupal; None if it had ended before."""
    await tx.execute(_LOCK, {"grant_id": grant_id})
    found = await tx.row(_END, {"grant_id": grant_id, "cause": cause.value})
    if found is None:
        return None
    return Ended(client_family=found["client_family"], sessions=found["sessions"])


async def due(
    tx: Transaction, *, limit: int, push_seconds: float, seen_within_seconds: float | None = None
) -> list[tuple[GrantId, int]]:
    """Up to ``limit`` grants due for refresh, with their pair generations.

    Each is moved on by ``push_seconds``, so that no other tick takes it meanwhile. People who were
    not seen for ``seen_within_seconds`` are not among them, and are not due again until a call of
    theirs has refreshed their pair.
    """
    seen_seconds = _EVER_SECONDS if seen_within_seconds is None else seen_within_seconds
    params = {"limit": limit, "push_seconds": push_seconds, "seen_seconds": seen_seconds}
    return _ids(await tx.rows(_DUE, params))


async def fading(
    tx: Transaction, *, limit: int, push_seconds: float, early_seconds: float = 0.0
) -> list[tuple[GrantId, int]]:
    """Up to ``limit`` grants whose refresh token nears its end, whoever they belong to.

    Each is moved on by ``push_seconds``, as by ``due``. ``early_seconds`` is how much earlier than
    by default this site's are due (``refresh_times.keep_alive_early_seconds``).
    """
    params = {"limit": limit, "push_seconds": push_seconds, "early_seconds": early_seconds}
    return _ids(await tx.rows(_FADING, params))


def _ids(found: list[dict[str, Any]]) -> list[tuple[GrantId, int]]:
    return [(GrantId(one["grant_id"]), one["pair_generation"]) for one in found]


def keep_alive_seconds() -> float:
    """Seconds until a new pair is kept alive; the jitter parts pairs that began together."""
    return KEEP_ALIVE_SECONDS - _random.uniform(0, KEEP_ALIVE_JITTER_SECONDS_MAX)


async def forget_pair(tx: Transaction, grant_id: GrantId) -> None:
    """Empty the pair of an ended grant and take it off the outbox: Drupal was told."""
    await tx.execute(_FORGET_PAIR, {"grant_id": grant_id})


async def lock_lapsed(tx: Transaction, *, limit: int) -> list[GrantId]:
    """Up to ``limit`` grants that no client can use any more, so that they can be ended.

    None of them is redeemed or refreshed until the transaction is over; a grant that somebody
    holds at this moment is left for the next time.
    """
    params: dict[str, object] = {"unredeemed_seconds": UNREDEEMED_SECONDS_MAX}
    locked = await tx.rows(_LOCK_LAPSED, {**params, "limit": limit})
    grant_ids = [one["grant_id"] for one in locked]
    found = await tx.rows(_STILL_LAPSED, {**params, "grant_ids": grant_ids}) if locked else []
    return [GrantId(one["grant_id"]) for one in found]


def _grant_or_none(found: dict[str, Any] | None) -> Grant | None:
    if found is None:
        return None
    return Grant(
        grant_id=GrantId(found["grant_id"]),
        user_id=UserId(found["user_id"]),
        client_id=ClientId(found["client_id"]),
        subject=UpstreamSubject(found["subject"]),
        user_salt=bytes(found["salt"] or b""),
        status=GrantStatus(found["status"]),
        pair=SealedPair(
            ciphertext=bytes(found["pair_ciphertext"]), key_generation=found["key_generation"]
        ),
        pair_generation=found["pair_generation"],
        access_expires_at=found["access_expires_at"],
        suspended_until=found["suspended_until"],
    )
