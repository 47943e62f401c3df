"""People, known by their id at the site and a salt. Never holds a name or an address."""

from typing import LiteralString

from shared.domain.identifiers import UpstreamSubject, UserId
from shared.state.database import Transaction

# The time of the visit keeps the row: people whom nobody has seen for long are forgotten.
_ENSURE: LiteralString = """
    INSERT INTO app.users (user_id, site, subject, salt)
    VALUES (%(user_id)s, %(site)s, %(subject)s, %(salt)s)
    ON CONFLICT (site, subject) DO UPDATE SET seen_at = app.now()
    RETURNING user_id, salt
"""


async def ensure(
    tx: Transaction, *, user_id: UserId, site: str, subject: UpstreamSubject, salt: bytes
) -> tuple[UserId, bytes]:
    """The person's id and 32-byte salt: the ones on record, else the ones given, now stored.

    Two sign-ins of one new person at once agree: the second waits for the first one's commit.
    """
    params = {"user_id": user_id, "site": site, "subject": subject, "salt": salt}
    found = await tx.row(_ENSURE, params)
    if found is None:
        raise LookupError("a statement that always returns a row returned none")
    return UserId(found["user_id"]), bytes(found["salt"])
