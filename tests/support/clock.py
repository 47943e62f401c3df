"""Moves the database's clock: every statement of ours asks app.now(), which is replaced here."""

from datetime import timedelta
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
        row = connection.execute("SELECT pg_get_functiondef('app.now()'::regprocedure)").fetchone()
        assert row is not None
        self._original: str = row[0]

    def advance(self, seconds: float) -> None:
        """Move the clock on by so many seconds; negative values move it back."""
        self._offset += timedelta(seconds=seconds)
        body = f"SELECT pg_catalog.now() + interval '{self._offset.total_seconds()} seconds'"
        self._connection.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION app.now() RETURNS timestamptz"
                " LANGUAGE sql STABLE PARALLEL SAFE AS {}"
            ).format(sql.Literal(body))
        )

    def restore(self) -> None:
        """Give the database its own time back."""
        if self._offset:
            self._connection.execute(sql.SQL(self._original))
            self._offset = timedelta()
