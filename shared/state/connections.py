"""A person's grants as the account page shows them. Every statement asks whose they are."""

from typing import Any, LiteralString

from shared.domain.account_page import Connection
from shared.domain.identifiers import ClientId, GrantId, UserId
from shared.state.database import Transaction

# The scopes are those of the session; before the code was redeemed, those of the code.
_LIST: LiteralString = """
    SELECT g.grant_id, c.client_name, c.client_uri, c.redirect_uris[1] AS redirect_uri,
           g.created_at, g.last_used_at,
           coalesce((SELECT s.scopes FROM app.sessions s WHERE s.grant_id = g.grant_id
                      ORDER BY s.created_at DESC LIMIT 1),
                    (SELECT a.scopes FROM app.authorization_codes a
                      WHERE a.grant_id = g.grant_id LIMIT 1),
                    '{}') AS scopes
      FROM app.grants g JOIN app.clients c USING (client_id)
     WHERE g.user_id = %(user_id)s AND g.status <> 'ended'
     ORDER BY g.last_used_at DESC, g.grant_id LIMIT %(limit)s
"""

_COUNT: LiteralString = """
    SELECT count(*) AS live FROM app.grants WHERE user_id = %(user_id)s AND status <> 'ended'
"""

_FIND: LiteralString = """
    SELECT client_id FROM app.grants
     WHERE grant_id = %(grant_id)s AND user_id = %(user_id)s AND status <> 'ended'
"""

# In one order for everybody, so that two who end all never wait for each other.
_ALL: LiteralString = """
    SELECT grant_id, client_id FROM app.grants
     WHERE user_id = %(user_id)s AND status <> 'ended' ORDER BY grant_id LIMIT %(limit)s
"""


async def of_person(tx: Transaction, user_id: UserId, *, limit: int) -> list[Connection]:
    """The person's live grants, at most ``limit``, last used first."""
    found = await tx.rows(_LIST, {"user_id": user_id, "limit": limit})
    return [_connection(row) for row in found]


async def count(tx: Transaction, user_id: UserId) -> int:
    """How many live grants the person has."""
    found = await tx.row(_COUNT, {"user_id": user_id})
    return 0 if found is None else int(found["live"])


async def client_of(tx: Transaction, *, user_id: UserId, grant_id: GrantId) -> ClientId | None:
    """The client of this person's live grant; None for an ended, unknown or foreign one alike."""
    found = await tx.row(_FIND, {"user_id": user_id, "grant_id": grant_id})
    return None if found is None else ClientId(found["client_id"])


async def live(tx: Transaction, user_id: UserId, *, limit: int) -> list[tuple[GrantId, ClientId]]:
    """Ids of up to ``limit`` of the person's live grants, with their clients."""
    found = await tx.rows(_ALL, {"user_id": user_id, "limit": limit})
    return [(GrantId(row["grant_id"]), ClientId(row["client_id"])) for row in found]


def _connection(row: dict[str, Any]) -> Connection:
    return Connection(
        grant_id=GrantId(row["grant_id"]),
        client_name=row["client_name"],
        client_uri=row["client_uri"],
        redirect_uri=row["redirect_uri"],
        scopes=tuple(row["scopes"]),
        connected_at=row["created_at"],
        last_used_at=row["last_used_at"],
    )
