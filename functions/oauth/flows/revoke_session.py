"""Token revocation (RFC 7009): whatever token a client hands back, its whole grant ends.

One sign-in gives one session; ending only half of it would leave Drupal's tokens behind.
"""

from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.known_client import require_client
from functions.oauth.parameters import Parameters
from functions.oauth.refusals import InvalidGrantError
from shared.domain.sessions import EndCause
from shared.domain.tokens import TokenKind, has_shape, hash_token
from shared.state import audit_events, sessions
from shared.state.audit_events import AuditAction
from shared.workflows.end_grant import end_grant


async def revoke(dependencies: Dependencies, parameters: Parameters) -> None:
    """End the grant of an access or refresh token; an unknown token is no error (section 2.2).

    Raises:
        InvalidClientError: unknown client.
        InvalidGrantError: the token is another client's (section 2.1).
    """
    token = parameters.require("token")
    parameters.require("client_id")
    async with dependencies.database.transaction() as tx:
        client = await require_client(dependencies, tx, parameters)
        if not (has_shape(token, TokenKind.ACCESS) or has_shape(token, TokenKind.REFRESH)):
            return
        found = await sessions.find_by_token(tx, hash_token(token))
        if found is None:
            return
        session_id, grant_id, client_id = found
        if client_id != client.client_id:
            raise InvalidGrantError
        if not await end_grant(tx, grant_id=grant_id, cause=EndCause.REVOKED_BY_CLIENT):
            return
        await audit_events.append(
            tx,
            AuditAction.SESSION_REVOKED,
            session_id=session_id,
            grant_id=grant_id,
            client_id=client_id,
        )
