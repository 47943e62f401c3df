"""Moves the database's clock: every statement of ours asks app.now(), which is replaced here."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql


class DatabaseClock:
    """The time of one database, ahead of the machine's by a chosen offset.

    Only what calls app.now() sees it; connections need not be opened anew.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._offset = timedelta()
        self._stopped_at: datetime | None = None
        row = connection.execute("SELECT pg_get_functiondef('app.now()'::regprocedure)").fetchone()
        assert row is not None
        self._original: str = row[0]

    def advance(self, seconds: float) -> None:
        """Move the clock on by so many seconds; negative values move it back."""
        self._offset += timedelta(seconds=seconds)
        self._replace()

    def stop(self) -> None:
        """Let the time stand still from now on, but for ``advance``."""
        row = self._connection.execute("SELECT pg_catalog.now()").fetchone()
        assert row is not None
        self._stopped_at = row[0]
        self._replace()

    def _replace(self) -> None:
        offset = f"interval '{self._offset.total_seconds()} seconds'"
        base = "pg_catalog.now()"
        if self._stopped_at is not None:
            base = f"timestamptz '{self._stopped_at.isoformat()}'"
        self._connection.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION app.now() RETURNS timestamptz"
                " LANGUAGE sql STABLE PARALLEL SAFE AS {}"
            ).format(sql.Literal(f"SELECT {base} + {offset}"))
        )

    def restore(self) -> None:
        """Give the database its own time back."""
        if self._offset or self._stopped_at:
            self._connection.execute(sql.SQL(self._original))
            self._offset, self._stopped_at = timedelta(), None
