"""Grants of people whom Drupal refuses for now: one try at a time, and the end of the suspension.

A refresh does not end one: that tokens are issued does not mean that they are accepted.
"""

from typing import LiteralString

from shared.domain.identifiers import GrantId, UserId
from shared.state.database import Transaction

_BEGIN_TRY: LiteralString = """
    UPDATE app.grants
       SET suspended_until = app.now() + make_interval(secs => %(seconds)s)
     WHERE grant_id = %(grant_id)s AND status = 'suspended' AND suspended_until <= app.now()
"""

_LIFT: LiteralString = """
    UPDATE app.grants SET status = 'active', suspended_until = NULL
     WHERE grant_id = %(grant_id)s AND status = 'suspended'
"""

_MAKE_DUE: LiteralString = """
    UPDATE app.grants SET suspended_until = app.now()
     WHERE user_id = %(user_id)s AND status = 'suspended' AND suspended_until > app.now()
"""


async def begin_try(tx: Transaction, grant_id: GrantId, *, seconds: float) -> bool:
    """Take the one try that is due, for ``seconds``; False if it is not, or somebody else's."""
    return await tx.execute(_BEGIN_TRY, {"grant_id": grant_id, "seconds": seconds}) == 1


async def lift(tx: Transaction, grant_id: GrantId) -> bool:
    """End the suspension; False if there is none."""
    return await tx.execute(_LIFT, {"grant_id": grant_id}) == 1


async def make_due(tx: Transaction, user_id: UserId) -> int:
    """Let the person's next calls try at once; how many grants were suspended."""
    return await tx.execute(_MAKE_DUE, {"user_id": user_id})
