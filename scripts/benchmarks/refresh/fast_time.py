"""A time that runs faster, the same for the database and for the site.

Only they decide what has expired, so a worker needs no clock of its own: it waits in real time for
what takes real time, such as an answer.
"""

import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from scripts.fake_drupal.clock import SiteClock


@dataclass(frozen=True, slots=True, kw_only=True)
class FastTime:
    """Since ``began_at`` (Unix time in seconds) every real second counts ``speed`` times."""

    began_at: float
    speed: float

    def now(self) -> float:
        """Unix time in seconds, as this world sees it."""
        return self.began_at + (time.time() - self.began_at) * self.speed

    def real_seconds(self, seconds: float) -> float:
        """How long ``seconds`` of this world really take."""
        return seconds / self.speed


class FastSiteClock(SiteClock):
    """The site's clock in that time."""

    def __init__(self, fast: FastTime) -> None:
        super().__init__()
        self._fast = fast

    def now(self) -> float:
        """Seconds since the epoch, as the site sees them."""
        return self._fast.now() + self._offset_seconds


def set_database_clock(connection: psycopg.Connection[Any], fast: FastTime) -> None:
    """Let ``app.now()``, which all statements ask, tell that time."""
    began = "pg_catalog.to_timestamp({began_at})"
    body = f"SELECT {began} + (pg_catalog.now() - {began}) * {{speed}}"
    text = body.format(began_at=repr(fast.began_at), speed=repr(fast.speed))
    connection.execute(
        sql.SQL(
            "CREATE OR REPLACE FUNCTION app.now() RETURNS timestamptz"
            " LANGUAGE sql STABLE PARALLEL SAFE AS {}"
        ).format(sql.Literal(text))
    )
