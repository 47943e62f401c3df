"""Dynamic client registration (RFC 7591): no secret is ever made; keys a client brings itself.

A registration is worth nothing until a person consents; one that nobody uses goes after a day.
The id is derived from what is registered: who registers the same again is the same client, so that
clients which register at every start add no rows. A public client's id proves nothing, to whoever
holds it (RFC 6749 section 2.2), so that sharing one gives nobody anything.
"""

import base64
import hashlib
import json
from typing import Any

from functions.oauth.dependencies import Dependencies
from functions.oauth.flows import client_metadata
from functions.oauth.flows.client_metadata import ClientMetadata
from functions.oauth.published_keys import MEMBERS, PublishedKeys, read_published_keys
from functions.oauth.refusals import (
    ClientBlockedError,
    InvalidClientMetadataError,
    RegistrationDisabledError,
)
from shared.domain import redirects
from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from shared.domain.known_clients import client_family
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import audit_events, clients
from shared.state.audit_events import AuditAction
from shared.vault.client_assertions import UnusableKeysError

UNUSED_SECONDS = 86_400


async def register(dependencies: Dependencies, body: bytes) -> dict[str, Any]:
    """Register a client; the answer of RFC 7591 section 3.2.1.

    Raises:
        RegistrationDisabledError: clients cannot register themselves in this deployment.
        InvalidRedirectUriError: a redirect URI is absent or not acceptable.
        ClientBlockedError: an operator has blocked whoever registers this.
        InvalidClientMetadataError: another member is not acceptable.
    """
    if not dependencies.dynamic_registration_enabled:
        raise RegistrationDisabledError
    metadata = client_metadata.parse(body)
    keys = _keys_of(metadata, local=dependencies.client_keys.local)
    echoed = {**metadata.echo(), **keys.echo()}
    client = Client(
        client_id=id_of(echoed),
        kind=RegistrationKind.DYNAMIC,
        client_name=metadata.shown_name,
        redirect_uris=tuple(echoed["redirect_uris"]),
        client_uri=metadata.client_uri,
        keys=keys.jwks,
        jwks_uri=keys.jwks_uri,
        must_authenticate=bool(keys),
    )
    family = client_family(client)
    async with dependencies.database.transaction() as tx:
        registered = await clients.register(tx, client, unused_seconds=UNUSED_SECONDS)
        if registered.blocked:
            raise ClientBlockedError
        if registered.is_new:
            await audit_events.append(
                tx,
                AuditAction.CLIENT_REGISTERED,
                client_id=client.client_id,
                details={"client_family": family.value},
            )
    metrics.count(
        MetricName.CLIENTS_REGISTERED,
        client_family=family.value,
        outcome="new" if registered.is_new else "known",
    )
    return {
        "client_id": client.client_id,
        "client_id_issued_at": int(registered.created_at.timestamp()),
        **echoed,
    }


def _keys_of(metadata: ClientMetadata, *, local: bool) -> PublishedKeys:
    if not metadata.keys_are_meant:
        return PublishedKeys()
    try:
        keys = read_published_keys(metadata.model_dump(include=set(MEMBERS)), local=local)
    except UnusableKeysError:
        raise InvalidClientMetadataError("jwks") from None
    if not keys:
        raise InvalidClientMetadataError("jwks_uri")
    return keys


def id_of(echoed: dict[str, Any]) -> ClientId:
    """The id of whatever registers these members.

    Loopback ports do not count: they may differ at every sign-in (RFC 8252 section 7.3), and many
    clients register with the one that happened to be free.
    """
    uris = [redirects.without_loopback_port(uri) for uri in echoed["redirect_uris"]]
    members = {**echoed, "redirect_uris": uris}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest())
    return ClientId(f"client_{digest.decode().rstrip('=')}")
