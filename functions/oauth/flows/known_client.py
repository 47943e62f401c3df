"""Which registered client speaks at a back-channel endpoint.

Public clients prove nothing by their id: what they hold is bound to it and checked by each flow.
Those that have to prove themselves have done so before (``client_authentication``).
"""

from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.find_client import find_client
from functions.oauth.parameters import Parameters
from functions.oauth.refusals import ClientBlockedError, InvalidClientError
from shared.domain.clients import Client
from shared.state.database import Transaction


async def require_client(
    dependencies: Dependencies,
    tx: Transaction,
    parameters: Parameters,
    *,
    blocked_too: bool = False,
) -> Client:
    """The client of the parameter ``client_id``; one that is blocked only if ``blocked_too``.

    Raises:
        InvalidRequestError: no ``client_id`` (RFC 6749 section 3.2.1).
        InvalidClientError: unknown, removed or not proven; clients register again on this answer.
        ClientBlockedError: an operator has blocked it (RFC 6749 section 5.2).
    """
    client = await find_client(dependencies, tx, parameters.require("client_id"))
    proven = client is not None and parameters.proven_client == client.client_id
    if client is None or (client.must_authenticate and not proven):
        raise InvalidClientError("client_id")
    if client.blocked and not blocked_too:
        raise ClientBlockedError("client_id")
    return client
