"""A client proves who it is with a signed assertion (``private_key_jwt``; RFC 7521, RFC 7523).

Comes before anything else of a request: a wrong assertion touches no code, token or grant. It is
used up even if the request fails afterwards, so that nobody can try again with it.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.client_keys import ASSERTION
from functions.oauth.flows.find_client import find_client
from functions.oauth.flows.presented_assertion import PresentedAssertion, claimed_client
from functions.oauth.flows.ride_out import attempt_seconds, ride_out
from functions.oauth.parameters import Parameters
from functions.oauth.refusals import InvalidClientError
from shared.domain.client_keys import StoredKeySet
from shared.domain.clients import Client
from shared.domain.identifiers import ClientId, new_id
from shared.errors.base import UnavailableError
from shared.observability.logging import log
from shared.state import assertion_ids, client_key_sets
from shared.state.assertion_ids import AssertionUse
from shared.state.database import Transaction

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def authenticate(dependencies: Dependencies, parameters: Parameters) -> Parameters:
    """The parameters, with the client that has proven itself by its assertion, if there is one.

    A client that need not prove itself gets nothing by an assertion. While its keys cannot be had,
    it is as if it had sent none: whoever wants to be taken for it could do the same.

    Raises:
        InvalidClientError: the assertion proves nothing, for whatever reason.
        UnavailableError: the database is away, or the host of the client's keys.
    """
    assertion, kind = parameters.get(ASSERTION), parameters.get("client_assertion_type")
    if assertion is None and kind is None:
        return parameters
    if assertion is None or kind != ASSERTION_TYPE:
        raise InvalidClientError(ASSERTION)
    client_id = parameters.get("client_id") or claimed_client(assertion)
    presented = PresentedAssertion(
        assertion=assertion,
        client_id=ClientId(client_id),
        request_id=new_id(),
        issuer=dependencies.issuer,
    )
    attempt = partial(_prove, dependencies, presented)
    proven = await ride_out(attempt, seconds=dependencies.ride_out_seconds)
    named = ClientId(client_id)
    return parameters.proven_as(named) if proven else parameters.spoken_by(named)


async def _prove(dependencies: Dependencies, presented: PresentedAssertion) -> bool:
    """Whether the client has proven itself; False where it need not and cannot be told."""
    async with dependencies.database.transaction(timeout_seconds=attempt_seconds()) as tx:
        client = await find_client(dependencies, tx, presented.client_id)
        jwks_uri = None if client is None or client.keys is not None else client.jwks_uri
        stored = None if jwks_uri is None else await client_key_sets.find(tx, jwks_uri)
        keys = _keys_at_hand(client, stored)
        use = None if keys is None else presented.use_by(keys)
        if use is not None:
            await _accept(tx, use)
            return True
        if client is None or jwks_uri is None or not presented.may_be_signed_by_others(stored):
            log.info("client assertion refused", reason="not_signed")
            raise InvalidClientError(ASSERTION)
    newest = await dependencies.client_keys.newest(jwks_uri, stored)
    use = None if newest.keys is None else presented.use_by(newest.keys)
    if use is None:
        refusal = newest.refusal()
        if isinstance(refusal, UnavailableError) and not client.must_authenticate:
            return False
        raise refusal
    async with dependencies.database.transaction(timeout_seconds=attempt_seconds()) as tx:
        await _accept(tx, use)
    return True


def _keys_at_hand(client: Client | None, stored: StoredKeySet | None) -> Mapping[str, Any] | None:
    """The keys that nobody need be asked for."""
    if client is not None and client.keys is not None:
        return client.keys
    return None if stored is None else stored.fresh_keys


async def _accept(tx: Transaction, use: AssertionUse) -> None:
    if not await assertion_ids.accept(tx, use):
        log.info("client assertion refused", reason="expired_or_used")
        raise InvalidClientError(ASSERTION)
