"""Usage of invented people, to look at the report without any: for an empty local database only.

``python -m scripts.usage_report.invented FOLDER`` with ``DATABASE_URL`` of the database's owner
fills it and writes metrics into the folder, for ``scripts/report --logs FOLDER``.
"""

import asyncio
import json
import math
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from functions.cleanup.usage_rollups import UsageRollUps
from shared.observability.metrics import NAMESPACE, MetricName
from shared.state.database import Database
from shared.state.roles import AppRole

DAYS: Final = 56
PEOPLE: Final = 140
CHOSEN_RANKS: Final = (1, 1, 1, 2, 2, 3, 4, 5, 7)
FAMILIES: Final = ("claude", "claude", "claude_code", "cursor", "chatgpt", "vs_code", "other")
TITLES: Final = (
    "Build a View with a Contextual Filter",
    "Write a Custom Block Plugin",
    "Configuration Management from Development to Production",
    "Upgrade from Drupal 10 to Drupal 11",
    "Theme a Node with Twig",
    "Add a Field to a Content Type",
    "Dependency Injection in Controllers",
    "Cache Tags, Contexts and Max-Age",
    "Migrate Users with the Migrate API",
    "Test a Module with Kernel Tests",
    "Layout Builder for Editors",
    "Single Directory Components",
    "Queue Workers and Cron",
    "Entity Queries by Example",
    "Write a REST Resource",
    "Install Drupal with DDEV",
)
FOR_MEMBERS: Final = frozenset({"103", "106", "107", "109", "112", "114"})
QUERIES: Final = (
    "views contextual filter",
    "custom block plugin",
    "config export import",
    "drupal 11 upgrade",
    "twig template node",
    "cache tags",
    "dependency injection",
    "migrate users",
    "kernel test",
    "layout builder",
    "sdc components",
    "entity query",
    "ddev install",
)
NEVER_FOUND: Final = ("drupal 12 release", "canvas builder", "ai agents module", "htmx ajax")
_INSERT: Final = """
    INSERT INTO app.usage_events
        (event_id, occurred_at, user_id, client_id, client_family, tool, outcome, content_id,
         result_count, duration_milliseconds, query, first_rank, entitlement, may_read, search_id,
         search_rank)
    VALUES (%s, %s, %s, 'invented', %s, %s, %s, %s, %s, %s, %s, %s, %s, true, %s, %s)
"""


class NotEmptyError(Exception):
    """The database has usage of its own: nothing is invented beside it."""


@dataclass
class Inventor:
    """Makes the same rows for the same seed."""

    end: datetime
    days: int = DAYS
    people: int = PEOPLE
    seed: int = 7
    rows: list[Sequence[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - invented people, no secrets

    def invent(self) -> None:
        """Every visit of everybody."""
        for number in range(self.people):
            begins = self._random.randrange(-self.days // 2, self.days)
            member = number % 3 == 0
            family = FAMILIES[number % len(FAMILIES)]
            person = self._id()
            for day in range(max(0, begins), self.days):
                if self._random.random() < self._eagerness(number, day):
                    self._visit(person, family, day, member=member)

    def _eagerness(self, number: int, day: int) -> float:
        weekend = (self.end - timedelta(days=self.days - day)).weekday() >= 5
        return (0.16 if weekend else 0.38) * (0.4 + (number % 5) / 5)

    def _id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def _visit(self, person: UUID, family: str, day: int, *, member: bool) -> None:
        hour = self._random.choices(range(24), weights=[_busy(hour) for hour in range(24)])[0]
        at = self.end - timedelta(days=self.days - day, hours=-hour)
        at += timedelta(seconds=self._random.randrange(2_400))
        for _ in range(self._random.randrange(1, 5)):
            at += timedelta(seconds=self._random.randrange(20, 180))
            search = self._search(person, family, at)
            if search is not None and self._random.random() < 0.72:
                rank = self._random.choice(CHOSEN_RANKS)
                self._reading(person, family, at, member=member, search=search, rank=rank)

    def _search(self, person: UUID, family: str, at: datetime) -> UUID | None:
        """Its id if it found something."""
        nothing = self._random.random() < 0.11
        query = self._random.choice(NEVER_FOUND if nothing else QUERIES)
        event_id, count = self._id(), 0 if nothing else 10
        milliseconds = self._random.randrange(90, 500)
        self.rows.append(
            (event_id, at, person, family, "search_tutorials", "ok", None, count, milliseconds,
             query, 1, "unasked", None, None)
        )  # fmt: skip
        return None if nothing else event_id

    def _reading(
        self, person: UUID, family: str, at: datetime, *, member: bool, search: UUID, rank: int
    ) -> None:
        place = min(int(self._random.expovariate(0.22)), len(TITLES) - 1)
        content_id = str(101 + place)
        refused = content_id in FOR_MEMBERS and not member
        outcome = "subscription_required" if refused else "ok"
        entitlement = "refused" if refused else "allowed"
        milliseconds = self._random.randrange(120, 900)
        self.rows.append(
            (self._id(), at + timedelta(seconds=9), person, family, "get_tutorial", outcome,
             content_id, None if refused else 1, milliseconds, None, None, entitlement, search,
             rank)
        )  # fmt: skip


def _busy(hour: int) -> float:
    """How much is done at an hour: two humps, in Europe's and America's working time."""
    return 0.05 + math.exp(-(((hour - 9) / 2.6) ** 2)) + 0.8 * math.exp(-(((hour - 16) / 3.0) ** 2))


def metric_lines(inventor: Inventor) -> Iterator[str]:
    """What the functions would have printed, an hour a line."""
    calls: dict[datetime, int] = {}
    for row in inventor.rows:
        hour = row[1].replace(minute=0, second=0, microsecond=0)
        calls[hour] = calls.get(hour, 0) + 1
    for number in range(inventor.days * 24):
        hour = inventor.end - timedelta(hours=inventor.days * 24 - number)
        made = calls.get(hour, 0)
        line = {
            "_aws": {
                "Timestamp": int(hour.timestamp() * 1000),
                "CloudWatchMetrics": [{"Namespace": NAMESPACE}],
            },
            MetricName.INVOCATIONS.value: [72.0 + made * 1.6],
            MetricName.GIGABYTE_SECONDS.value: [4.0 + made * 0.31],
            MetricName.MEMORY_USED.value: [132.0 + min(made, 40) * 1.5],
            MetricName.DATABASE_CONNECTIONS.value: [14.0 + made // 3],
            MetricName.KEY_SERVICE_CALLS.value: [1.0 + made // 12],
            MetricName.UPSTREAM_CALLS.value: [6.0 + made],
        }
        yield json.dumps(line)


async def fill(conninfo: str, folder: Path, *, days: int = DAYS, people: int = PEOPLE) -> Inventor:
    """Invent usage up to the present day, roll it up, and write the metrics of it.

    Raises:
        NotEmptyError: there is usage in this database.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM app.usage_events LIMIT 1").fetchone():
            raise NotEmptyError
        row = connection.execute("SELECT date_trunc('day', app.now(), 'UTC')").fetchone()
        assert row is not None  # noqa: S101 - a statement with one row
        inventor = Inventor(end=row[0], days=days, people=people)
        inventor.invent()
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, inventor.rows)
            cursor.executemany(
                "INSERT INTO app.content_titles (content_id, title) VALUES (%s, %s)",
                [(str(101 + place), title) for place, title in enumerate(TITLES)],
            )
    (folder / "invented.log").write_text("\n".join(metric_lines(inventor)) + "\n", "utf-8")
    await _roll_up(make_conninfo(conninfo, user=AppRole.CLEANUP.value))
    return inventor


async def _roll_up(conninfo: str) -> None:
    database = Database(conninfo)
    try:
        rolling = UsageRollUps(database, seconds_left=lambda: math.inf)
        while any((await rolling.run()).values()):
            pass
    finally:
        await database.close()


def main() -> int:
    """Fill the database that the environment names; the exit status."""
    if len(sys.argv) != 2 or "DATABASE_URL" not in os.environ:
        print("usage: DATABASE_URL=… python -m scripts.usage_report.invented FOLDER")
        return 2
    try:
        inventor = asyncio.run(fill(os.environ["DATABASE_URL"], Path(sys.argv[1])))
    except NotEmptyError:
        print("FAILED: there is usage in this database; nothing was invented", file=sys.stderr)
        return 1
    print(f"{len(inventor.rows)} calls of {inventor.people} invented people.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
