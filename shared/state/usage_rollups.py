"""Roll-ups of usage: which hours and days are due, and the hour's own statements.

An hour is always rolled up whole, in one transaction, from the rows that there are: doing it again
changes nothing, and a row that came late is counted the next time. Days are in ``usage_days``.
"""

from datetime import datetime
from typing import Final, LiteralString

from shared.state.calls import CHOSEN_WITHIN_SECONDS
from shared.state.database import Transaction

FIRST_AFTER_SECONDS: Final = 120.0
"""After an hour's end: calls that began in it are closed by then."""
SETTLED_AFTER_SECONDS: Final = 7_200.0
"""After an hour's end it is rolled up a second time: what was read after its searches is known."""
LATE_SECONDS_MAX: Final = 7 * 86_400.0
"""Rows that come within this time of their hour are still counted."""

_DUE_HOURS: LiteralString = """
    WITH bounds AS (
        SELECT coalesce(
            (SELECT max(starts_at) + interval '1 hour' FROM app.usage_rolled WHERE grain = 'hour'),
            (SELECT date_trunc('hour', min(occurred_at), 'UTC') FROM app.usage_events)) AS next_at
    )
    SELECT starts_at FROM (
        SELECT generate_series(b.next_at,
                               app.now() - interval '1 hour' - make_interval(secs => %(first)s),
                               interval '1 hour') AS starts_at
          FROM bounds b
        UNION
        SELECT r.starts_at FROM app.usage_rolled r
         WHERE r.grain = 'hour'
           AND r.rolled_at < r.starts_at + interval '1 hour' + make_interval(secs => %(settled)s)
           AND app.now() >= r.starts_at + interval '1 hour' + make_interval(secs => %(settled)s)
    ) AS due
     ORDER BY starts_at LIMIT %(limit)s
"""

# The hour before a late reading's own holds the search that led to it.
_LATE_HOURS: LiteralString = """
    WITH late AS (
        SELECT r.starts_at FROM app.usage_rolled r
         WHERE r.grain = 'hour' AND r.starts_at > app.now() - make_interval(secs => %(late)s)
           AND r.events <> (SELECT count(*) FROM app.usage_events e
                             WHERE e.occurred_at >= r.starts_at
                               AND e.occurred_at < r.starts_at + interval '1 hour')
    )
    SELECT r.starts_at FROM app.usage_rolled r
     WHERE r.grain = 'hour'
       AND (r.starts_at IN (SELECT starts_at FROM late)
            OR r.starts_at + interval '1 hour' IN (SELECT starts_at FROM late))
     ORDER BY r.starts_at LIMIT %(limit)s
"""

# Its lock makes another run of the cleanup wait: of two, the second starts from the first's rows.
_MARK_HOUR: LiteralString = """
    INSERT INTO app.usage_rolled (grain, starts_at) VALUES ('hour', %(starts_at)s)
    ON CONFLICT (grain, starts_at) DO UPDATE SET rolled_at = app.now()
"""

_CLEAR_HOUR: LiteralString = "DELETE FROM app.usage_hours WHERE starts_at = %(starts_at)s"

_ROLL_HOUR: LiteralString = """
    INSERT INTO app.usage_hours
        (starts_at, tool, client_family, outcome, calls, milliseconds, searches, empty_searches,
         pages_found, pages_chosen, readings, refused_readings, ranked_readings, ranks_total)
    SELECT %(starts_at)s, e.tool, e.client_family, e.outcome, count(*),
           sum(e.duration_milliseconds),
           count(*) FILTER (WHERE e.first_rank = 1),
           count(*) FILTER (WHERE e.first_rank = 1 AND e.result_count = 0),
           count(*) FILTER (WHERE e.first_rank IS NOT NULL AND e.result_count > 0),
           count(c.search_id),
           count(*) FILTER (WHERE e.content_id IS NOT NULL AND NOT e.continues),
           count(*) FILTER (WHERE e.content_id IS NOT NULL AND e.entitlement = 'refused'),
           count(e.search_rank), coalesce(sum(e.search_rank), 0)
      FROM app.usage_events e
      LEFT JOIN (
            SELECT DISTINCT r.search_id FROM app.usage_events r
             WHERE r.search_id IS NOT NULL AND r.occurred_at >= %(starts_at)s
               AND r.occurred_at < %(starts_at)s + interval '1 hour'
                                   + make_interval(secs => %(chosen)s)
           ) c ON c.search_id = e.event_id
     WHERE e.occurred_at >= %(starts_at)s AND e.occurred_at < %(starts_at)s + interval '1 hour'
     GROUP BY e.tool, e.client_family, e.outcome
"""

_COUNT_HOUR: LiteralString = """
    UPDATE app.usage_rolled SET events = (
        SELECT coalesce(sum(calls), 0) FROM app.usage_hours WHERE starts_at = %(starts_at)s)
     WHERE grain = 'hour' AND starts_at = %(starts_at)s
"""

# A day is due three hours after its end, when its last hour is settled, and again after any change.
_DUE_DAYS: LiteralString = """
    SELECT h.day FROM (
        SELECT date_trunc('day', starts_at, 'UTC') AS day, max(rolled_at) AS rolled_at
          FROM app.usage_rolled WHERE grain = 'hour' GROUP BY 1
    ) h
      LEFT JOIN app.usage_rolled d ON d.grain = 'day' AND d.starts_at = h.day
     WHERE app.now() >= h.day + interval '24 hours' + make_interval(secs => %(settled)s)
       AND EXISTS (SELECT 1 FROM app.usage_rolled l
                    WHERE l.grain = 'hour' AND l.starts_at = h.day + interval '23 hours')
       AND (d.rolled_at IS NULL OR d.rolled_at < h.rolled_at)
     ORDER BY h.day LIMIT %(limit)s
"""


async def due_hours(tx: Transaction, *, limit: int) -> list[datetime]:
    """Hours that have ended and are not rolled up, or not settled; the oldest first."""
    found = await tx.rows(
        _DUE_HOURS,
        {"first": FIRST_AFTER_SECONDS, "settled": SETTLED_AFTER_SECONDS, "limit": limit},
    )
    return [row["starts_at"] for row in found]


async def late_hours(tx: Transaction, *, limit: int) -> list[datetime]:
    """Hours of the last days that have got rows since they were rolled up."""
    found = await tx.rows(_LATE_HOURS, {"late": LATE_SECONDS_MAX, "limit": limit})
    return [row["starts_at"] for row in found]


async def due_days(tx: Transaction, *, limit: int) -> list[datetime]:
    """Days whose hours are all settled and that are not rolled up since; the oldest first."""
    found = await tx.rows(_DUE_DAYS, {"settled": SETTLED_AFTER_SECONDS, "limit": limit})
    return [row["day"] for row in found]


async def roll_hour(tx: Transaction, starts_at: datetime) -> None:
    """Count the rows of the hour that begins at ``starts_at``; needs a transaction."""
    params = {"starts_at": starts_at, "chosen": CHOSEN_WITHIN_SECONDS}
    await tx.execute(_MARK_HOUR, params)
    await tx.execute(_CLEAR_HOUR, params)
    await tx.execute(_ROLL_HOUR, params)
    await tx.execute(_COUNT_HOUR, params)
