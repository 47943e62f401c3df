"""What only shows over a day and over all functions: counts, and never whose they are."""

from typing import Final, LiteralString

from shared.state.database import Transaction

BULK_ITEMS_MIN: Final = 300
"""Different items that one person had read in a day: no reader gets there, nor does a course."""
READINGS_MAX: Final = 500_000
"""The newest readings that are looked at: a bound on the statement, far above a busy day."""

_BULK_READERS: LiteralString = """
    SELECT count(*) AS people FROM (
        SELECT user_id FROM (
            SELECT user_id, content_id FROM app.usage_events
             WHERE occurred_at > app.now() - interval '1 day'
               AND content_id IS NOT NULL AND outcome = 'ok'
             ORDER BY occurred_at DESC LIMIT %(readings_max)s
        ) AS readings
        GROUP BY user_id HAVING count(DISTINCT content_id) >= %(items_min)s
    ) AS readers
"""

_MINUTE: LiteralString = "SELECT extract(minute FROM app.now())::integer AS minute"


async def bulk_readers(tx: Transaction, *, items_min: int = BULK_ITEMS_MIN) -> int:
    """How many people had at least ``items_min`` different items read in the last day."""
    params: dict[str, object] = {"items_min": items_min, "readings_max": READINGS_MAX}
    found = await tx.row(_BULK_READERS, params)
    return 0 if found is None else int(found["people"])


async def minute_of_hour(tx: Transaction) -> int:
    """The minute by the database's clock."""
    found = await tx.row(_MINUTE)
    return 0 if found is None else int(found["minute"])
