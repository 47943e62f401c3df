"""Sign-ins to the account page that are under way, each used once."""

import secrets
from typing import LiteralString

from shared.domain.sign_ins import SIGN_IN_SECONDS_MAX
from shared.domain.tokens import TokenHash
from shared.state.database import Transaction

_BEGIN: LiteralString = """
    INSERT INTO app.account_sign_ins (state_hash, browser_hash, expires_at)
    VALUES (%(state_hash)s, %(browser_hash)s, app.now() + make_interval(secs => %(seconds)s))
"""

# An expired or foreign row is deleted by the attempt all the same, and is no answer.
_TAKE: LiteralString = """
    DELETE FROM app.account_sign_ins WHERE state_hash = %(state_hash)s
    RETURNING browser_hash, expires_at > app.now() AS live
"""


async def begin(tx: Transaction, *, state_hash: TokenHash, browser_hash: TokenHash) -> None:
    """Open a sign-in that lives for ``SIGN_IN_SECONDS_MAX``."""
    await tx.execute(
        _BEGIN,
        {
            "state_hash": state_hash,
            "browser_hash": browser_hash,
            "seconds": SIGN_IN_SECONDS_MAX,
        },
    )


async def take(tx: Transaction, *, state_hash: TokenHash, browser_hash: TokenHash) -> bool:
    """Use the sign-in up; whether it was open, and this browser's."""
    taken = await tx.row(_TAKE, {"state_hash": state_hash})
    if taken is None or not taken["live"]:
        return False
    return secrets.compare_digest(bytes(taken["browser_hash"]), browser_hash)
