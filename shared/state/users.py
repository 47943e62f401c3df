"""People, known by their id at the site and a salt. Never holds a name or an address."""

from typing import LiteralString

from shared.domain.identifiers import UpstreamSubject, UserId
from shared.state.database import Transaction

_ADD: LiteralString = """
    INSERT INTO app.users (user_id, site, subject, salt)
    VALUES (%(user_id)s, %(site)s, %(subject)s, %(salt)s)
    ON CONFLICT (site, subject) DO NOTHING
    RETURNING user_id, salt
"""

_FIND: LiteralString = """
    SELECT user_id, salt FROM app.users WHERE site = %(site)s AND subject = %(subject)s
"""


async def ensure(
    tx: Transaction, *, user_id: UserId, site: str, subject: UpstreamSubject, salt: bytes
) -> tuple[UserId, bytes]:
    """The person's id and 32-byte salt: the ones on record, else the ones given, now stored.

    Two sign-ins of one new person at once agree: the second waits for the first one's commit.
    """
    params = {"user_id": user_id, "site": site, "subject": subject, "salt": salt}
    # A second statement sees what a concurrent one has committed meanwhile; a union would not.
    found = await tx.row(_ADD, params) or await tx.row(_FIND, params)
    if found is None:
        raise LookupError("a user vanished between two statements")
    return UserId(found["user_id"]), bytes(found["salt"])
