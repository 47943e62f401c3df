"""Token revocation (RFC 7009): whatever token a client hands back, its whole grant ends.

One sign-in gives one session; ending only half of it would leave Drupal's tokens behind.
"""

from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.known_client import require_client
from functions.oauth.parameters import Parameters
from shared.domain.identifiers import NO_GRANT
from shared.domain.sessions import EndCause
from shared.domain.tokens import TokenKind, has_shape, hash_token
from shared.state import audit_events, sessions
from shared.state.audit_events import AuditAction
from shared.workflows.end_grant import end_grant

_NONE = (None, NO_GRANT, None)
"""What is found of an unknown token."""


async def revoke(dependencies: Dependencies, parameters: Parameters) -> None:
    """End the grant of a client's access or refresh token.

    Tokens that are unknown, over already, or another client's are no error and change nothing
    (RFC 7009 section 2.2); the same statements run for each of them.

    Raises:
        InvalidClientError: unknown client.
    """
    token = parameters.require("token")
    parameters.require("client_id")
    async with dependencies.database.transaction() as tx:
        # What a blocked client gives back is taken: it only makes less of it.
        client = await require_client(dependencies, tx, parameters, blocked_too=True)
        if not (has_shape(token, TokenKind.ACCESS) or has_shape(token, TokenKind.REFRESH)):
            return
        session_id, grant_id, owner = await sessions.find_by_token(tx, hash_token(token)) or _NONE
        ending = grant_id if owner == client.client_id else NO_GRANT
        if not await end_grant(tx, grant_id=ending, cause=EndCause.REVOKED_BY_CLIENT):
            return
        await audit_events.append(
            tx,
            AuditAction.SESSION_REVOKED,
            session_id=session_id,
            grant_id=grant_id,
            client_id=owner,
        )
