"""Registered clients. Never decides whether a client may do something: that is the domain's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg.types.json import Json

from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from shared.state.database import Transaction

_ADD: LiteralString = """
    INSERT INTO app.clients
        (client_id, kind, client_name, client_uri, redirect_uris, keys, jwks_uri,
         must_authenticate, unused_expires_at)
    VALUES (%(client_id)s, %(kind)s, %(client_name)s, %(client_uri)s, %(redirect_uris)s,
            %(keys)s, %(jwks_uri)s, %(must_authenticate)s,
            app.now() + make_interval(secs => %(unused_seconds)s))
"""

# Whoever registers the same again keeps it alive, and never takes away that it was used.
_REGISTER: LiteralString = (
    _ADD
    + """
    ON CONFLICT (client_id) DO UPDATE
       SET unused_expires_at = CASE WHEN clients.unused_expires_at IS NULL THEN NULL
                                    ELSE EXCLUDED.unused_expires_at END
    RETURNING created_at, xmax = 0 AS is_new, blocked_at IS NOT NULL AS blocked
"""
)

_PUT_PREREGISTERED: LiteralString = """
    SELECT app.put_preregistered_client(
        %(client_id)s, %(client_name)s, %(client_uri)s, %(redirect_uris)s, %(keys)s,
        %(jwks_uri)s, %(must_authenticate)s)
"""

_FIND: LiteralString = """
    SELECT client_id, kind, client_name, client_uri, redirect_uris, keys, jwks_uri,
           must_authenticate, blocked_at IS NOT NULL AS blocked
      FROM app.clients WHERE client_id = %(client_id)s
"""

# Whoever blocks the client waits until what is stored with it has been.
_FIND_LOCKED: LiteralString = _FIND + " FOR SHARE"

_MARK_USED: LiteralString = """
    UPDATE app.clients SET unused_expires_at = NULL
     WHERE client_id = %(client_id)s AND unused_expires_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """When a client registered first, and whether that was now."""

    created_at: datetime
    is_new: bool
    blocked: bool


async def register(tx: Transaction, client: Client, *, unused_seconds: int) -> Registered:
    """Store a client whose id says what it is, or keep it for another ``unused_seconds``."""
    row = await tx.row(_REGISTER, _values(client, unused_seconds))
    assert row is not None  # noqa: S101 - the statement returns a row in either case
    return Registered(created_at=row["created_at"], is_new=row["is_new"], blocked=row["blocked"])


async def add(tx: Transaction, client: Client, *, unused_seconds: int) -> None:
    """Store a new client, which goes after ``unused_seconds`` unless somebody signs in with it."""
    await tx.execute(_ADD, _values(client, unused_seconds))


async def put_preregistered(tx: Transaction, client: Client) -> None:
    """Store a client of the settings, or what has changed in it; it never goes by itself."""
    await tx.execute(_PUT_PREREGISTERED, _values(client, 0))


def _values(client: Client, unused_seconds: int) -> dict[str, object]:
    return {
        "client_id": client.client_id,
        "kind": client.kind.value,
        "client_name": client.client_name,
        "client_uri": client.client_uri,
        "redirect_uris": list(client.redirect_uris),
        "keys": None if client.keys is None else Json(dict(client.keys)),
        "jwks_uri": client.jwks_uri,
        "must_authenticate": client.must_authenticate,
        "unused_seconds": unused_seconds,
    }


async def find(tx: Transaction, client_id: str) -> Client | None:
    """The client of this id, or None."""
    return _client(await tx.row(_FIND, {"client_id": client_id}))


async def find_locked(tx: Transaction, client_id: str) -> Client | None:
    """The client of this id, not to be blocked before the transaction has ended; or None."""
    return _client(await tx.row(_FIND_LOCKED, {"client_id": client_id}))


def _client(found: dict[str, Any] | None) -> Client | None:
    if found is None:
        return None
    return Client(
        client_id=ClientId(found["client_id"]),
        kind=RegistrationKind(found["kind"]),
        client_name=found["client_name"],
        client_uri=found["client_uri"],
        redirect_uris=tuple(found["redirect_uris"]),
        keys=found["keys"],
        jwks_uri=found["jwks_uri"],
        must_authenticate=found["must_authenticate"],
        blocked=found["blocked"],
    )


async def mark_used(tx: Transaction, client_id: ClientId) -> None:
    """Keep the client for good: somebody has signed in with it."""
    await tx.execute(_MARK_USED, {"client_id": client_id})
