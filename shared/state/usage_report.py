"""What the report reads: roll-ups alone, never a row of a person; as the role ``app_report``."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from shared.state.database import Transaction

_SUMS: LiteralString = """
    coalesce(sum(calls), 0)::bigint AS calls,
    coalesce(sum(calls) FILTER (WHERE outcome = 'ok'), 0)::bigint AS served,
    coalesce(sum(milliseconds), 0)::bigint AS milliseconds,
    coalesce(sum(searches), 0)::bigint AS searches,
    coalesce(sum(empty_searches), 0)::bigint AS empty_searches,
    coalesce(sum(pages_found), 0)::bigint AS pages_found,
    coalesce(sum(pages_chosen), 0)::bigint AS pages_chosen,
    coalesce(sum(readings), 0)::bigint AS readings,
    coalesce(sum(refused_readings), 0)::bigint AS refused_readings,
    coalesce(sum(ranked_readings), 0)::bigint AS ranked_readings,
    coalesce(sum(ranks_total), 0)::bigint AS ranks_total
"""

_PERIOD: LiteralString = "WHERE day >= %(since)s AND day < %(until)s"

_LAST_DAY: LiteralString = """
    SELECT max(starts_at) + interval '24 hours' AS until FROM app.usage_rolled WHERE grain = 'day'
"""
_DAYS: LiteralString = f"""
    SELECT day AS name, {_SUMS} FROM app.usage_days {_PERIOD} GROUP BY day ORDER BY day
"""  # noqa: S608 - literals of this file
_FAMILIES: LiteralString = f"""
    SELECT client_family AS name, {_SUMS} FROM app.usage_days {_PERIOD}
     GROUP BY client_family ORDER BY calls DESC, client_family
"""  # noqa: S608 - literals of this file
_TOOLS: LiteralString = f"""
    SELECT tool AS name, {_SUMS} FROM app.usage_days {_PERIOD}
     GROUP BY tool ORDER BY calls DESC, tool LIMIT %(limit)s
"""  # noqa: S608 - literals of this file
_HOURS: LiteralString = """
    SELECT starts_at, sum(calls)::bigint AS calls FROM app.usage_hours
     WHERE starts_at >= %(since)s AND starts_at < %(until)s GROUP BY starts_at ORDER BY starts_at
"""
_PEOPLE: LiteralString = f"""
    SELECT day, window_days, segment, people, returning_people FROM app.usage_day_people {_PERIOD}
     ORDER BY day, window_days, segment
"""  # noqa: S608 - literals of this file
_ACCESS: LiteralString = f"""
    SELECT access, max(people) AS people, sum(calls)::bigint AS calls,
           sum(readings)::bigint AS readings, sum(refused_readings)::bigint AS refused_readings
      FROM app.usage_day_access {_PERIOD} GROUP BY access
"""  # noqa: S608 - literals of this file
_CONTENT: LiteralString = f"""
    SELECT c.content_id, max(t.title) AS title, sum(c.readings)::bigint AS readings,
           sum(c.refused_readings)::bigint AS refused_readings,
           sum(c.ranked_readings)::bigint AS ranked_readings,
           sum(c.ranks_total)::bigint AS ranks_total
      FROM app.usage_day_content c LEFT JOIN app.content_titles t USING (content_id)
     {_PERIOD} AND c.content_id <> ''
     GROUP BY c.content_id ORDER BY readings DESC, c.content_id LIMIT %(limit)s
"""  # noqa: S608 - literals of this file
_QUERIES: LiteralString = f"""
    SELECT query, sum(searches)::bigint AS searches, sum(empty_searches)::bigint AS empty_searches,
           sum(pages_found)::bigint AS pages_found, sum(pages_chosen)::bigint AS pages_chosen
      FROM app.usage_day_queries {_PERIOD} AND query <> ''
     GROUP BY query ORDER BY searches DESC, query LIMIT %(limit)s
"""  # noqa: S608 - literals of this file
_EMPTY_QUERIES: LiteralString = f"""
    SELECT query, sum(searches)::bigint AS searches, sum(empty_searches)::bigint AS empty_searches,
           sum(pages_found)::bigint AS pages_found, sum(pages_chosen)::bigint AS pages_chosen
      FROM app.usage_day_queries {_PERIOD} AND query <> ''
     GROUP BY query HAVING sum(empty_searches) > 0
     ORDER BY empty_searches DESC, query LIMIT %(limit)s
"""  # noqa: S608 - literals of this file


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days (UTC), ``until`` excluded."""

    since: datetime
    until: datetime

    @property
    def days(self) -> int:
        """How many."""
        return (self.until - self.since).days


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted of calls; ``name`` is the day, the client family or the tool."""

    name: Any = None
    calls: int = 0
    served: int = 0
    milliseconds: int = 0
    searches: int = 0
    empty_searches: int = 0
    pages_found: int = 0
    pages_chosen: int = 0
    readings: int = 0
    refused_readings: int = 0
    ranked_readings: int = 0
    ranks_total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleCounted:
    """People active in the ``window_days`` that end with ``day``; None: too few to be told."""

    day: datetime
    window_days: int
    segment: str
    people: int | None
    returning_people: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCounted:
    """Usage of those who were observed to be members, not to be, or neither.

    ``people`` is the most of one day.
    """

    access: str
    people: int | None
    calls: int
    readings: int
    refused_readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCounted:
    """One content; its title if it was read lately."""

    content_id: str
    title: str | None
    readings: int
    refused_readings: int
    ranked_readings: int
    ranks_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCounted:
    """One query that several people have asked."""

    query: str
    searches: int
    empty_searches: int
    pages_found: int
    pages_chosen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounted:
    """All that roll-ups say of a period."""

    period: Period
    days: tuple[Counts, ...]
    families: tuple[Counts, ...]
    tools: tuple[Counts, ...]
    hours: tuple[tuple[datetime, int], ...]
    people: tuple[PeopleCounted, ...]
    access: tuple[AccessCounted, ...]
    content: tuple[ContentCounted, ...]
    queries: tuple[QueryCounted, ...]
    empty_queries: tuple[QueryCounted, ...]


async def counted_until(tx: Transaction) -> datetime | None:
    """The end of the last day that is rolled up; None: there is none yet."""
    found = await tx.row(_LAST_DAY)
    return None if found is None else found["until"]


async def read(tx: Transaction, period: Period, *, limit: int) -> UsageCounted:
    """What is counted of a period; lists have up to ``limit`` entries."""
    params = {"since": period.since, "until": period.until, "limit": limit}
    hours = await tx.rows(_HOURS, params)
    return UsageCounted(
        period=period,
        days=tuple(Counts(**row) for row in await tx.rows(_DAYS, params)),
        families=tuple(Counts(**row) for row in await tx.rows(_FAMILIES, params)),
        tools=tuple(Counts(**row) for row in await tx.rows(_TOOLS, params)),
        hours=tuple((row["starts_at"], row["calls"]) for row in hours),
        people=tuple(PeopleCounted(**row) for row in await tx.rows(_PEOPLE, params)),
        access=tuple(AccessCounted(**row) for row in await tx.rows(_ACCESS, params)),
        content=tuple(ContentCounted(**row) for row in await tx.rows(_CONTENT, params)),
        queries=tuple(QueryCounted(**row) for row in await tx.rows(_QUERIES, params)),
        empty_queries=tuple(QueryCounted(**row) for row in await tx.rows(_EMPTY_QUERIES, params)),
    )
