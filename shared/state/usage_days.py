"""The roll-up of a day: sums of its hours, and what can only be counted over people.

No row of it holds or leads to a person: people are counted and forgotten, and what only few have
in common is pooled or left out.
"""

from datetime import datetime, timedelta
from typing import Final, LiteralString

from shared.state.calls import CHOSEN_WITHIN_SECONDS
from shared.state.database import Transaction

WINDOWS_DAYS: Final = (1, 7, 28)
"""People are counted over a day, a week and four weeks, each ending with the day."""
RETURNING_WITHIN_DAYS: Final = 28
"""Who was seen in so many days before a window has returned."""
PEOPLE_MIN: Final = 5
"""A segment of fewer people is not counted: it says null."""
QUERY_PEOPLE_MIN: Final = 3
"""A query that fewer people have asked within the four weeks stays unnamed."""
LISTED_MAX: Final = 500
"""Contents, and queries, that a day names; the rest is pooled."""

_PARAMS: Final[dict[str, object]] = {
    "people_min": PEOPLE_MIN,
    "query_people_min": QUERY_PEOPLE_MIN,
    "listed_max": LISTED_MAX,
}

_MARK: LiteralString = """
    INSERT INTO app.usage_rolled (grain, starts_at) VALUES ('day', %(day)s)
    ON CONFLICT (grain, starts_at) DO UPDATE SET rolled_at = app.now()
"""

_CLEAR: Final[tuple[LiteralString, ...]] = (
    "DELETE FROM app.usage_days WHERE day = %(day)s",
    "DELETE FROM app.usage_day_people WHERE day = %(day)s",
    "DELETE FROM app.usage_day_access WHERE day = %(day)s",
    "DELETE FROM app.usage_day_content WHERE day = %(day)s",
    "DELETE FROM app.usage_day_queries WHERE day = %(day)s",
)

_SUM_HOURS: LiteralString = """
    INSERT INTO app.usage_days
        (day, tool, client_family, outcome, calls, milliseconds, searches, empty_searches,
         pages_found, pages_chosen, readings, refused_readings, ranked_readings, ranks_total)
    SELECT %(day)s, tool, client_family, outcome, sum(calls), sum(milliseconds), sum(searches),
           sum(empty_searches), sum(pages_found), sum(pages_chosen), sum(readings),
           sum(refused_readings), sum(ranked_readings), sum(ranks_total)
      FROM app.usage_hours
     WHERE starts_at >= %(day)s AND starts_at < %(ends_at)s
     GROUP BY tool, client_family, outcome
"""

# Everybody together is always counted; a client family only from PEOPLE_MIN on.
_COUNT_PEOPLE: LiteralString = """
    WITH active AS (
        SELECT DISTINCT e.user_id, e.client_family FROM app.usage_events e
         WHERE e.occurred_at >= %(window_from)s
           AND e.occurred_at < %(ends_at)s
    ), before AS (
        SELECT DISTINCT e.user_id FROM app.usage_events e
         WHERE e.occurred_at < %(window_from)s
           AND e.occurred_at >= %(before_from)s
    ), counted AS (
        SELECT coalesce('family:' || a.client_family, 'all') AS segment,
               count(DISTINCT a.user_id) AS people, count(DISTINCT b.user_id) AS returning_people
          FROM active a LEFT JOIN before b USING (user_id)
         GROUP BY GROUPING SETS ((), (a.client_family))
    )
    INSERT INTO app.usage_day_people (day, window_days, segment, people, returning_people)
    SELECT %(day)s, %(window_days)s, segment,
           CASE WHEN segment = 'all' OR people >= %(people_min)s THEN people END,
           CASE WHEN segment = 'all' OR people >= %(people_min)s THEN returning_people END
      FROM counted WHERE people > 0
"""

# Content that the site has refused to somebody is for members: who could read it is one, who could
# not is none, and what was seen last of a person counts. All others have shown nothing.
_COUNT_ACCESS: LiteralString = """
    WITH recent AS (
        SELECT e.* FROM app.usage_events e
         WHERE e.occurred_at >= %(recent_from)s
           AND e.occurred_at < %(ends_at)s
    ), for_members AS (
        SELECT DISTINCT content_id FROM recent
         WHERE entitlement = 'refused' AND content_id IS NOT NULL
    ), shown AS (
        SELECT DISTINCT ON (r.user_id) r.user_id, r.entitlement
          FROM recent r JOIN for_members USING (content_id)
         WHERE r.entitlement IN ('allowed', 'refused')
         ORDER BY r.user_id, r.occurred_at DESC
    ), able AS (
        SELECT user_id, bool_or(may_read) AS may_read FROM recent GROUP BY user_id
    ), classed AS (
        SELECT r.*, CASE s.entitlement WHEN 'allowed' THEN 'member' WHEN 'refused' THEN 'free'
                    ELSE CASE WHEN a.may_read THEN 'unknown' ELSE 'no_scope' END END AS access
          FROM recent r JOIN able a USING (user_id) LEFT JOIN shown s USING (user_id)
         WHERE r.occurred_at >= %(day)s
    ), counted AS (
        SELECT access, count(DISTINCT user_id) AS people, count(*) AS calls,
               count(*) FILTER (WHERE content_id IS NOT NULL AND NOT continues) AS readings,
               count(*) FILTER (WHERE content_id IS NOT NULL AND entitlement = 'refused')
                   AS refused_readings
          FROM classed GROUP BY access
    )
    INSERT INTO app.usage_day_access (day, access, people, calls, readings, refused_readings)
    SELECT %(day)s, access, CASE WHEN people >= %(people_min)s THEN people END, calls, readings,
           refused_readings
      FROM counted
"""

_LIST_CONTENT: LiteralString = """
    WITH counted AS (
        SELECT content_id, count(*) AS readings,
               count(*) FILTER (WHERE entitlement = 'refused') AS refused_readings,
               count(search_rank) AS ranked_readings, coalesce(sum(search_rank), 0) AS ranks_total
          FROM app.usage_events
         WHERE content_id IS NOT NULL AND NOT continues
           AND occurred_at >= %(day)s AND occurred_at < %(ends_at)s
         GROUP BY content_id
    ), placed AS (
        SELECT *, row_number() OVER (ORDER BY readings DESC, content_id) AS place FROM counted
    )
    INSERT INTO app.usage_day_content
        (day, content_id, readings, refused_readings, ranked_readings, ranks_total)
    SELECT %(day)s, CASE WHEN place <= %(listed_max)s THEN content_id ELSE '' END, sum(readings),
           sum(refused_readings), sum(ranked_readings), sum(ranks_total)
      FROM placed GROUP BY 2
"""

_LIST_QUERIES: LiteralString = """
    WITH asked AS (
        SELECT query FROM app.usage_events
         WHERE query IS NOT NULL AND occurred_at < %(ends_at)s
           AND occurred_at >= %(recent_from)s
         GROUP BY query HAVING count(DISTINCT user_id) >= %(query_people_min)s
    ), counted AS (
        SELECT coalesce(a.query, '') AS query,
               count(*) FILTER (WHERE e.first_rank = 1) AS searches,
               count(*) FILTER (WHERE e.first_rank = 1 AND e.result_count = 0) AS empty_searches,
               count(*) FILTER (WHERE e.result_count > 0) AS pages_found,
               count(c.search_id) AS pages_chosen
          FROM app.usage_events e
          LEFT JOIN asked a USING (query)
          LEFT JOIN (
                SELECT DISTINCT r.search_id FROM app.usage_events r
                 WHERE r.search_id IS NOT NULL AND r.occurred_at >= %(day)s
                   AND r.occurred_at < %(chosen_until)s
               ) c ON c.search_id = e.event_id
         WHERE e.first_rank IS NOT NULL
           AND e.occurred_at >= %(day)s AND e.occurred_at < %(ends_at)s
         GROUP BY 1
    ), placed AS (
        SELECT *, row_number() OVER (ORDER BY query = '', searches DESC, query) AS place
          FROM counted
    )
    INSERT INTO app.usage_day_queries
        (day, query, searches, empty_searches, pages_found, pages_chosen)
    SELECT %(day)s, CASE WHEN place <= %(listed_max)s THEN query ELSE '' END, sum(searches),
           sum(empty_searches), sum(pages_found), sum(pages_chosen)
      FROM placed GROUP BY 2
"""

_COUNT_EVENTS: LiteralString = """
    UPDATE app.usage_rolled SET events = (
        SELECT coalesce(sum(calls), 0) FROM app.usage_days WHERE day = %(day)s)
     WHERE grain = 'day' AND starts_at = %(day)s
"""


async def roll_day(tx: Transaction, day: datetime) -> None:
    """Roll up the day that begins at ``day``, from its hours and its rows; needs a transaction."""
    ends_at = day + timedelta(days=1)
    params = {
        **_PARAMS,
        "day": day,
        "ends_at": ends_at,
        "recent_from": ends_at - timedelta(days=RETURNING_WITHIN_DAYS),
        "chosen_until": ends_at + timedelta(seconds=CHOSEN_WITHIN_SECONDS),
    }
    await tx.execute(_MARK, params)
    for clear in _CLEAR:
        await tx.execute(clear, params)
    await tx.execute(_SUM_HOURS, params)
    for window_days in WINDOWS_DAYS:
        window_from = ends_at - timedelta(days=window_days)
        window = {
            "window_days": window_days,
            "window_from": window_from,
            "before_from": window_from - timedelta(days=RETURNING_WITHIN_DAYS),
        }
        await tx.execute(_COUNT_PEOPLE, {**params, **window})
    for count in (_COUNT_ACCESS, _LIST_CONTENT, _LIST_QUERIES, _COUNT_EVENTS):
        await tx.execute(count, params)
