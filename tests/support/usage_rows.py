"""Usage rows of invented people at chosen moments."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg


@dataclass(frozen=True, kw_only=True)
class Used:
    """One call as it is kept; the columns that a test does not name are those of a plain search."""

    at: datetime
    user_id: UUID
    tool: str = "search_tutorials"
    family: str = "claude"
    outcome: str = "ok"
    query: str | None = None
    result_count: int | None = None
    first_rank: int | None = None
    content_id: str | None = None
    continues: bool = False
    entitlement: str = "unasked"
    may_read: bool = True
    search_id: UUID | None = None
    search_rank: int | None = None
    event_id: UUID = field(default_factory=uuid4)


def a_search(at: datetime, user_id: UUID, query: str = "views", **more: Any) -> Used:
    """A first page with three results."""
    return Used(
        **{
            "at": at,
            "user_id": user_id,
            "query": query,
            "result_count": 3,
            "first_rank": 1,
            **more,
        }
    )


def a_reading(at: datetime, user_id: UUID, content_id: str = "7", **more: Any) -> Used:
    """A tutorial that the site showed."""
    return Used(
        **{
            "at": at,
            "user_id": user_id,
            "tool": "get_tutorial",
            "content_id": content_id,
            "entitlement": "allowed",
            **more,
        }
    )


def keep(connection: psycopg.Connection[Any], *used: Used) -> None:
    """Write them as they would have been."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO app.usage_events (event_id, occurred_at, user_id, client_id,"
            " client_family, tool, outcome, content_id, result_count, duration_milliseconds,"
            " query, first_rank, continues, entitlement, may_read, search_id, search_rank)"
            " VALUES (%(event_id)s, %(at)s, %(user_id)s, 'client', %(family)s, %(tool)s,"
            " %(outcome)s, %(content_id)s, %(result_count)s, 20, %(query)s, %(first_rank)s,"
            " %(continues)s, %(entitlement)s, %(may_read)s, %(search_id)s, %(search_rank)s)",
            [vars(one) for one in used],
        )
