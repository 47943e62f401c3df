"""Which registered client speaks at a back-channel endpoint.

Public clients prove nothing by their id: what they hold is bound to it and checked by each flow.
"""

from functions.oauth.parameters import Parameters
from functions.oauth.refusals import InvalidClientError
from shared.domain.clients import Client
from shared.state import clients
from shared.state.database import Transaction


async def require_client(tx: Transaction, parameters: Parameters) -> Client:
    """The client of the parameter ``client_id``.

    Raises:
        InvalidRequestError: no ``client_id`` (RFC 6749 section 3.2.1).
        InvalidClientError: unknown or removed; clients register again on this answer.
    """
    client = await clients.find(tx, parameters.require("client_id"))
    if client is None:
        raise InvalidClientError("client_id")
    return client
