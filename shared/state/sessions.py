"""Sessions with their access and refresh tokens, known by hash only.

A rotation holds the grant's row lock throughout. Every statement here that ends or rotates takes
the grant before the session, so that two of them never wait for each other.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString

from shared.domain.grants import GrantStatus
from shared.domain.identifiers import ClientId, GrantId, SessionId
from shared.domain.sessions import EndCause, RefreshTokenState, Session
from shared.domain.tokens import TokenHash
from shared.state.database import Transaction

_OPEN: LiteralString = """
    WITH opened AS (
        INSERT INTO app.sessions
            (session_id, grant_id, client_id, scopes, resource, absolute_expires_at)
        VALUES (%(session_id)s, %(grant_id)s, %(client_id)s, %(scopes)s, %(resource)s,
                app.now() + make_interval(secs => %(absolute_seconds)s))
        RETURNING session_id, absolute_expires_at
    ), access AS (
        INSERT INTO app.access_tokens (token_hash, session_id, expires_at)
        SELECT %(access_hash)s, session_id,
               least(app.now() + make_interval(secs => %(access_seconds)s), absolute_expires_at)
          FROM opened
    )
    INSERT INTO app.refresh_tokens (token_hash, session_id, sequence, expires_at)
    SELECT %(refresh_hash)s, session_id, 1,
           least(app.now() + make_interval(secs => %(sliding_seconds)s), absolute_expires_at)
      FROM opened
"""

# The lock comes in a statement of its own: one that waited for a lock would go on with what it
# saw of the other tables before the wait.
_LOCK_GRANT: LiteralString = """
    SELECT g.grant_id
      FROM app.refresh_tokens t
      JOIN app.sessions s USING (session_id)
      JOIN app.grants g USING (grant_id)
     WHERE t.token_hash = %(token_hash)s
       FOR NO KEY UPDATE OF g
"""

_LOCK_FAMILY: LiteralString = """
    SELECT s.session_id, s.grant_id, s.client_id, s.resource, s.scopes, s.absolute_expires_at,
           s.ended_at, t.sequence, t.expires_at, t.used_at, t.successor_sealed,
           (SELECT n.used_at FROM app.refresh_tokens n
             WHERE n.session_id = t.session_id AND n.sequence = t.sequence + 1)
               AS successor_used_at,
           (SELECT g.status FROM app.grants g WHERE g.grant_id = s.grant_id) AS grant_status,
           app.now() AS now
      FROM app.refresh_tokens t
      JOIN app.sessions s USING (session_id)
     WHERE t.token_hash = %(token_hash)s
       FOR NO KEY UPDATE OF s
"""

_ROTATE: LiteralString = """
    WITH used AS (
        UPDATE app.refresh_tokens t
           SET used_at = app.now(), successor_sealed = %(successor_sealed)s
          FROM app.sessions s
         WHERE t.token_hash = %(presented_hash)s AND t.session_id = %(session_id)s
           AND s.session_id = t.session_id AND t.used_at IS NULL AND s.ended_at IS NULL
        RETURNING t.session_id, t.sequence, s.absolute_expires_at
    ), access AS (
        INSERT INTO app.access_tokens (token_hash, session_id, scopes, expires_at)
        SELECT %(access_hash)s, session_id, %(access_scopes)s,
               least(app.now() + make_interval(secs => %(access_seconds)s), absolute_expires_at)
          FROM used
    )
    INSERT INTO app.refresh_tokens (token_hash, session_id, sequence, expires_at)
    SELECT %(refresh_hash)s, session_id, sequence + 1,
           least(app.now() + make_interval(secs => %(sliding_seconds)s), absolute_expires_at)
      FROM used
"""

_ANSWER_ANEW: LiteralString = """
    WITH answered AS (
        UPDATE app.refresh_tokens t SET successor_sealed = %(successor_sealed)s
          FROM app.sessions s
         WHERE t.token_hash = %(presented_hash)s AND t.used_at IS NOT NULL
           AND s.session_id = t.session_id AND s.ended_at IS NULL
        RETURNING t.session_id, s.absolute_expires_at
    )
    INSERT INTO app.access_tokens (token_hash, session_id, scopes, expires_at)
    SELECT %(access_hash)s, session_id, %(access_scopes)s,
           least(app.now() + make_interval(secs => %(access_seconds)s), absolute_expires_at)
      FROM answered
"""

_ACCESS_LIVES: LiteralString = """
    SELECT 1 AS lives FROM app.access_tokens t JOIN app.sessions s USING (session_id)
     WHERE t.token_hash = %(token_hash)s AND t.expires_at > app.now() AND s.ended_at IS NULL
"""

_END: LiteralString = """
    WITH held AS MATERIALIZED (
        SELECT g.grant_id FROM app.grants g
         WHERE g.grant_id = (SELECT s.grant_id FROM app.sessions s
                              WHERE s.session_id = %(session_id)s)
           FOR NO KEY UPDATE
    )
    UPDATE app.sessions s SET ended_at = app.now(), ended_cause = %(cause)s
      FROM held
     WHERE s.session_id = %(session_id)s AND s.grant_id = held.grant_id AND s.ended_at IS NULL
"""

_FIND_PRESENTED: LiteralString = """
    SELECT s.session_id, s.grant_id, s.client_id
      FROM app.sessions s
     WHERE s.session_id IN (
        SELECT session_id FROM app.access_tokens WHERE token_hash = %(token_hash)s
         UNION ALL
        SELECT session_id FROM app.refresh_tokens WHERE token_hash = %(token_hash)s)
"""


class RotationLostError(RuntimeError):
    """A rotation found its token used or its session ended, though it must hold the lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session about to be opened."""

    session_id: SessionId
    grant_id: GrantId
    client_id: ClientId
    resource: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccessToken:
    """An access token about to be stored; ``scopes`` None gives it all that its session has."""

    token_hash: TokenHash
    life_seconds: int
    scopes: tuple[str, ...] | None = None

    def as_parameters(self) -> dict[str, object]:
        """Its values for a statement."""
        return {
            "access_hash": self.token_hash,
            "access_seconds": self.life_seconds,
            "access_scopes": None if self.scopes is None else list(self.scopes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedRefreshToken:
    """A refresh token that a client presented, its family locked; ``now`` is database time."""

    session: Session
    state: RefreshTokenState
    sequence: int
    successor_sealed: bytes | None = field(repr=False)
    grant_status: GrantStatus
    now: datetime


async def open(  # noqa: A001 - read as sessions.open, and nothing here opens files
    tx: Transaction,
    *,
    session: NewSession,
    access_hash: TokenHash,
    access_seconds: int,
    refresh_hash: TokenHash,
    sliding_seconds: int,
    absolute_seconds: int,
) -> None:
    """Open a session with its first tokens; none outlives ``absolute_seconds``."""
    await tx.execute(
        _OPEN,
        {
            "session_id": session.session_id,
            "grant_id": session.grant_id,
            "client_id": session.client_id,
            "scopes": list(session.scopes),
            "resource": session.resource,
            "access_hash": access_hash,
            "access_seconds": access_seconds,
            "refresh_hash": refresh_hash,
            "sliding_seconds": sliding_seconds,
            "absolute_seconds": absolute_seconds,
        },
    )


async def lock_refresh_token(
    tx: Transaction, token_hash: TokenHash
) -> PresentedRefreshToken | None:
    """The token with its family, locked until the transaction ends; None if it is unknown.

    The same statements run either way.
    """
    await tx.row(_LOCK_GRANT, {"token_hash": token_hash})
    found = await tx.row(_LOCK_FAMILY, {"token_hash": token_hash})
    if found is None:
        return None
    return PresentedRefreshToken(
        session=Session(
            session_id=SessionId(found["session_id"]),
            grant_id=GrantId(found["grant_id"]),
            client_id=ClientId(found["client_id"]),
            resource=found["resource"],
            scopes=tuple(found["scopes"]),
            absolute_expires_at=found["absolute_expires_at"],
            ended_at=found["ended_at"],
        ),
        state=RefreshTokenState(
            expires_at=found["expires_at"],
            used_at=found["used_at"],
            successor_used_at=found["successor_used_at"],
        ),
        sequence=found["sequence"],
        successor_sealed=found["successor_sealed"],
        grant_status=GrantStatus(found["grant_status"]),
        now=found["now"],
    )


async def rotate(
    tx: Transaction,
    *,
    session_id: SessionId,
    presented_hash: TokenHash,
    successor_sealed: bytes,
    access: NewAccessToken,
    refresh_hash: TokenHash,
    sliding_seconds: int,
) -> None:
    """Use the presented token up, and store its successor and a new access token.

    Raises:
        RotationLostError: the token was used or the session ended; call under the lock only.
    """
    rotated = await tx.execute(
        _ROTATE,
        {
            "session_id": session_id,
            "presented_hash": presented_hash,
            "successor_sealed": successor_sealed,
            **access.as_parameters(),
            "refresh_hash": refresh_hash,
            "sliding_seconds": sliding_seconds,
        },
    )
    if rotated != 1:
        raise RotationLostError


async def answer_anew(
    tx: Transaction,
    *,
    presented_hash: TokenHash,
    successor_sealed: bytes,
    access: NewAccessToken,
) -> None:
    """Give a used token's answer another access token, and keep it for the next retry.

    Raises:
        RotationLostError: the token is unused or the session ended; call under the lock only.
    """
    answered = await tx.execute(
        _ANSWER_ANEW,
        {
            "presented_hash": presented_hash,
            "successor_sealed": successor_sealed,
            **access.as_parameters(),
        },
    )
    if answered != 1:
        raise RotationLostError


async def access_token_lives(tx: Transaction, token_hash: TokenHash) -> bool:
    """Whether this access token is known, not expired, and its session has not ended."""
    return await tx.row(_ACCESS_LIVES, {"token_hash": token_hash}) is not None


async def end(tx: Transaction, *, session_id: SessionId, cause: EndCause) -> bool:
    """End a session and with it all its tokens; False if it had ended before or is unknown."""
    return await tx.execute(_END, {"session_id": session_id, "cause": cause.value}) == 1


async def find_by_token(
    tx: Transaction, token_hash: TokenHash
) -> tuple[SessionId, GrantId, ClientId] | None:
    """The session that an access or refresh token belongs to, live or not (RFC 7009)."""
    found = await tx.row(_FIND_PRESENTED, {"token_hash": token_hash})
    if found is None:
        return None
    return (
        SessionId(found["session_id"]),
        GrantId(found["grant_id"]),
        ClientId(found["client_id"]),
    )
