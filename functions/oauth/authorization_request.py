"""What a client asks for at ``/authorize``, checked (OAuth 2.1 section 4.1.1, RFC 7636, RFC 8707).

Until the redirect URI is known to be the client's, nothing may be sent there.
"""

from collections.abc import Sequence

from functions.oauth.parameters import RESOURCE, Parameters
from functions.oauth.refusals import (
    InvalidRedirectUriError,
    InvalidRequestError,
    InvalidTargetError,
    RefusalError,
    ReturnedToClientError,
    UnknownClientError,
    UnsupportedResponseTypeError,
)
from shared.domain import pkce, resources
from shared.domain.clients import Client
from shared.domain.document_ids import DOCUMENT_ID_LENGTH_MAX
from shared.domain.identifiers import ClientId
from shared.domain.scopes import granted_scopes
from shared.domain.sign_ins import AuthorizationRequest

STATE_LENGTH_MAX = 2_000
SCOPE_LENGTH_MAX = 2_000
CLIENT_ID_LENGTH_MAX = DOCUMENT_ID_LENGTH_MAX


def client_id_of(parameters: Parameters) -> ClientId:
    """The client's id, not yet looked up.

    Raises:
        UnknownClientError: absent, repeated or longer than any id.
    """
    client_id = parameters.get("client_id")
    repeated = "client_id" in parameters.repeated
    if client_id is None or repeated or len(client_id) > CLIENT_ID_LENGTH_MAX:
        raise UnknownClientError("client_id")
    return ClientId(client_id)


def validate(
    parameters: Parameters, client: Client, *, mcp_url: str, scopes_offered: tuple[str, ...]
) -> AuthorizationRequest:
    """Check everything a client may send.

    ``prompt``, ``nonce``, unknown scopes and unknown parameters are accepted and mean nothing
    here; none of them travels on to Drupal.

    Raises:
        InvalidRedirectUriError: shown on a page, because the address cannot be trusted.
        ReturnedToClientError: anything else that is wrong, told to the client by redirect.
    """
    redirect_uri = parameters.get("redirect_uri")
    if redirect_uri is None or "redirect_uri" in parameters.repeated:
        raise InvalidRedirectUriError("redirect_uri")
    if not client.may_redirect_to(redirect_uri):
        raise InvalidRedirectUriError("redirect_uri")
    client_state = _echoable_state(parameters)
    try:
        return _request(
            parameters, client, redirect_uri, mcp_url=mcp_url, scopes_offered=scopes_offered
        )
    except RefusalError as refusal:
        raise ReturnedToClientError(
            refusal, redirect_uri=redirect_uri, client_state=client_state
        ) from None


def bound_resource(values: Sequence[str], *, mcp_url: str) -> str:
    """The canonical resource for what was asked; omitted means the only one there is.

    Raises:
        InvalidTargetError: several values, or one that is not served here.
    """
    if len(values) > 1 or any(not resources.accepts(value, mcp_url) for value in values):
        raise InvalidTargetError(RESOURCE)
    return mcp_url


def asked_scopes(parameters: Parameters) -> list[str]:
    """The words of ``scope``.

    Raises:
        InvalidRequestError: longer than any sensible list.
    """
    text = parameters.get("scope") or ""
    if len(text) > SCOPE_LENGTH_MAX:
        raise InvalidRequestError("scope")
    return text.split()


def _request(
    parameters: Parameters,
    client: Client,
    redirect_uri: str,
    *,
    mcp_url: str,
    scopes_offered: tuple[str, ...],
) -> AuthorizationRequest:
    parameters.refuse_repeated()
    client_state = parameters.get("state")
    if client_state is not None and len(client_state) > STATE_LENGTH_MAX:
        raise InvalidRequestError("state")
    if parameters.require("response_type") != "code":
        raise UnsupportedResponseTypeError("response_type")
    if parameters.get("response_mode") not in {None, "query"}:
        raise InvalidRequestError("response_mode")
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        client_state=client_state,
        scopes=granted_scopes(asked_scopes(parameters), scopes_offered),
        resource=bound_resource(parameters.all(RESOURCE), mcp_url=mcp_url),
        code_challenge=_code_challenge(parameters),
    )


def _code_challenge(parameters: Parameters) -> str:
    """The S256 challenge; its method must be named, for the default would be ``plain``."""
    challenge = parameters.require("code_challenge")
    if parameters.require("code_challenge_method") != "S256":
        raise InvalidRequestError("code_challenge_method")
    if not pkce.is_challenge(challenge):
        raise InvalidRequestError("code_challenge")
    return challenge


def _echoable_state(parameters: Parameters) -> str | None:
    """The state for an error answer; an ambiguous or oversized one is not sent back."""
    client_state = parameters.get("state")
    if client_state is None or "state" in parameters.repeated:
        return None
    return client_state if len(client_state) <= STATE_LENGTH_MAX else None
