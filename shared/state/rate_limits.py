"""What is left of each allowance (GCRA), by a digest of the rule and of whom it counts.

Never holds an address, a client or a person in the clear.
"""

import hashlib
from typing import LiteralString

from shared.domain.rate_limits import RateLimit
from shared.state.database import Transaction

_TAKE: LiteralString = """
    SELECT app.take_from_limit(%(key)s, %(burst)s, %(seconds_each)s) AS wait_seconds
"""


async def take(tx: Transaction, limit: RateLimit, subject: str) -> float:
    """Take one of ``subject``'s allowance; seconds to wait until there is one, 0 if it was taken.

    Inside a transaction that is rolled back nothing is taken.
    """
    row = await tx.row(
        _TAKE,
        {
            "key": _key_of(limit, subject),
            "burst": limit.burst,
            "seconds_each": limit.seconds_each,
        },
    )
    assert row is not None  # noqa: S101 - a function's value is always one row
    return float(row["wait_seconds"])


def _key_of(limit: RateLimit, subject: str) -> bytes:
    return hashlib.sha256(f"{limit.name.value}\n{subject}".encode()).digest()
