"""What a person does on the account page: look, disconnect one or all, sign out.

Every step asks whose visit it is, and touches that person's grants only. An ended, an unknown and
a foreign grant are answered alike.
"""

from uuid import UUID

from functions.oauth import account_cookie
from functions.oauth.dependencies import Dependencies
from functions.oauth.pages.account import AccountView
from functions.oauth.refusals import AccountFormExpiredError
from shared.domain.account_page import CONNECTIONS_SHOWN_MAX
from shared.domain.identifiers import GrantId, UserId
from shared.domain.sessions import EndCause
from shared.domain.tokens import PlainToken, hash_token
from shared.state import account_visits, audit_events, connections
from shared.state.audit_events import AuditAction
from shared.state.database import Transaction
from shared.workflows.end_grant import end_grant

END_BATCH_MAX = 50
"""Grants ended in one transaction."""
END_BATCHES_MAX = 40
"""More than anybody has; what is left after them is still on the page."""


async def look(dependencies: Dependencies, visit: PlainToken | None) -> AccountView | None:
    """What the page shows; None when nobody is signed in to it."""
    if visit is None:
        return None
    async with dependencies.database.transaction() as tx:
        user_id = await account_visits.use(tx, hash_token(visit))
        if user_id is None:
            return None
        shown = await connections.of_person(tx, user_id, limit=CONNECTIONS_SHOWN_MAX)
        count = await connections.count(tx, user_id)
    return AccountView(
        connections=tuple(shown),
        more=max(0, count - len(shown)),
        proof=account_cookie.form_proof(visit),
    )


async def disconnect(
    dependencies: Dependencies, visit: PlainToken | None, *, proof: str, grant: str
) -> bool:
    """End one of the person's grants; False where there is no such live grant of theirs.

    Raises:
        AccountFormExpiredError: nobody is signed in, or the form is not of this visit.
    """
    async with dependencies.database.transaction() as tx:
        user_id = await _person(tx, visit, proof=proof)
        grant_id = _grant_id(grant)
        if grant_id is None:
            return False
        client_id = await connections.client_of(tx, user_id=user_id, grant_id=grant_id)
        if client_id is None:
            return False
        return await end_grant(
            tx,
            grant_id=grant_id,
            cause=EndCause.DISCONNECTED_BY_PERSON,
            user_id=user_id,
            client_id=client_id,
        )


async def disconnect_all(
    dependencies: Dependencies, visit: PlainToken | None, *, proof: str
) -> int:
    """End all of the person's grants, in batches; how many ended.

    Raises:
        AccountFormExpiredError: nobody is signed in, or the form is not of this visit.
    """
    ended = 0
    for _ in range(END_BATCHES_MAX):
        async with dependencies.database.transaction() as tx:
            user_id = await _person(tx, visit, proof=proof)
            batch = await connections.live(tx, user_id, limit=END_BATCH_MAX)
            for grant_id, client_id in batch:
                ended += await end_grant(
                    tx,
                    grant_id=grant_id,
                    cause=EndCause.DISCONNECTED_BY_PERSON,
                    user_id=user_id,
                    client_id=client_id,
                )
        if len(batch) < END_BATCH_MAX:
            break
    return ended


async def sign_out(dependencies: Dependencies, visit: PlainToken | None, *, proof: str) -> None:
    """End the visit; one that is over already is none to end.

    Raises:
        AccountFormExpiredError: the form is not of this visit.
    """
    if visit is None:
        return
    if not account_cookie.proves(proof, visit):
        raise AccountFormExpiredError
    async with dependencies.database.transaction() as tx:
        user_id = await account_visits.end(tx, hash_token(visit))
        if user_id is not None:
            await audit_events.append(tx, AuditAction.ACCOUNT_SIGNED_OUT, user_id=user_id)


async def _person(tx: Transaction, visit: PlainToken | None, *, proof: str) -> UserId:
    if visit is None or not account_cookie.proves(proof, visit):
        raise AccountFormExpiredError
    user_id = await account_visits.use(tx, hash_token(visit))
    if user_id is None:
        raise AccountFormExpiredError
    return user_id


def _grant_id(text: str) -> GrantId | None:
    try:
        return GrantId(UUID(text))
    except ValueError:
        return None
