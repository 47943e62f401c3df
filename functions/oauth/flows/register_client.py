"""Dynamic client registration (RFC 7591): public clients only, and no secret is ever made.

A registration is worth nothing until a person consents; one that nobody uses goes after a day.
"""

import secrets
import time
from typing import Any

from functions.oauth.dependencies import Dependencies
from functions.oauth.flows import client_metadata
from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import audit_events, clients
from shared.state.audit_events import AuditAction

UNUSED_SECONDS = 86_400
_ID_BYTES = 16


async def register(dependencies: Dependencies, body: bytes) -> dict[str, Any]:
    """Register a client; the answer of RFC 7591 section 3.2.1.

    Raises:
        InvalidRedirectUriError: a redirect URI is absent or not acceptable.
        InvalidClientMetadataError: another member is not acceptable.
    """
    metadata = client_metadata.parse(body)
    echoed = metadata.echo()
    client = Client(
        client_id=ClientId(f"client_{secrets.token_urlsafe(_ID_BYTES)}"),
        kind=RegistrationKind.DYNAMIC,
        client_name=metadata.shown_name,
        redirect_uris=tuple(echoed["redirect_uris"]),
        client_uri=metadata.client_uri,
    )
    async with dependencies.database.transaction() as tx:
        await clients.add(tx, client, unused_seconds=UNUSED_SECONDS)
        await audit_events.append(tx, AuditAction.CLIENT_REGISTERED, client_id=client.client_id)
    metrics.count(MetricName.CLIENTS_REGISTERED)
    return {
        "client_id": client.client_id,
        # For the client's information only; nothing here depends on it.
        "client_id_issued_at": int(time.time()),
        **echoed,
    }
