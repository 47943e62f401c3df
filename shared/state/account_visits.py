"""Visits of the account page, known by the hash of the cookie's value."""

from typing import LiteralString

from shared.domain.account_page import VISIT_IDLE_SECONDS_MAX, VISIT_SECONDS_MAX
from shared.domain.identifiers import UserId
from shared.domain.tokens import TokenHash
from shared.state.database import Transaction

_OPEN: LiteralString = """
    INSERT INTO app.account_visits (visit_hash, user_id, idle_ends_at, ends_at)
    VALUES (%(visit_hash)s, %(user_id)s, app.now() + make_interval(secs => %(idle_seconds)s),
            app.now() + make_interval(secs => %(seconds)s))
"""

_USE: LiteralString = """
    UPDATE app.account_visits
       SET idle_ends_at = least(app.now() + make_interval(secs => %(idle_seconds)s), ends_at)
     WHERE visit_hash = %(visit_hash)s AND idle_ends_at > app.now()
    RETURNING user_id
"""

_END: LiteralString = """
    DELETE FROM app.account_visits WHERE visit_hash = %(visit_hash)s RETURNING user_id
"""


async def open_visit(tx: Transaction, *, visit_hash: TokenHash, user_id: UserId) -> None:
    """Begin a visit; it ends after ``VISIT_IDLE_SECONDS_MAX`` unused, or at its greatest age."""
    await tx.execute(
        _OPEN,
        {
            "visit_hash": visit_hash,
            "user_id": user_id,
            "idle_seconds": VISIT_IDLE_SECONDS_MAX,
            "seconds": VISIT_SECONDS_MAX,
        },
    )


async def use(tx: Transaction, visit_hash: TokenHash) -> UserId | None:
    """Whose visit it is, its idle time begun anew; None once it is over or was never there."""
    found = await tx.row(_USE, {"visit_hash": visit_hash, "idle_seconds": VISIT_IDLE_SECONDS_MAX})
    return None if found is None else UserId(found["user_id"])


async def end(tx: Transaction, visit_hash: TokenHash) -> UserId | None:
    """End a visit; whose it was, None if there was none."""
    found = await tx.row(_END, {"visit_hash": visit_hash})
    return None if found is None else UserId(found["user_id"])
