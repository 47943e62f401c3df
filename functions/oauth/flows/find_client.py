"""Which client an id means: one of the settings, or one that the database knows.

The settings have the last word over the clients that operators entered: one that is gone from them
is no client any more, whatever the database still holds.
"""

from dataclasses import replace

from functions.oauth.dependencies import Dependencies
from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from shared.state import clients
from shared.state.database import Transaction


async def find_client(dependencies: Dependencies, tx: Transaction, client_id: str) -> Client | None:
    """The client of this id, or None.

    A client of the settings gets its row here, when somebody first arrives with it: grants and
    sign-ins refer to rows.
    """
    configured = dependencies.preregistered.get(ClientId(client_id))
    found = await clients.find(tx, client_id)
    if configured is None:
        gone = found is not None and found.kind is RegistrationKind.PREREGISTERED
        return None if gone else found
    if found != configured:
        await clients.put_preregistered(tx, configured)
    return replace(configured, blocked=found is not None and found.blocked)
