"""One Postgres server and one migrated template per test run, one clone of it per worker.

It must never touch a database outside its own throwaway server.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import sql

from scripts.local_stack.postgres import PostgresServer, temporary_postgres
from shared.state.migrator import migrate
from shared.state.roles import AppRole

ADMIN_DATABASE: Final = "postgres"
TEMPLATE_DATABASE: Final = "migrated_template"


@dataclass
class TestCluster:
    """The server as a worker sees it: makes databases and empties them."""

    __test__ = False

    admin_conninfo: str
    prefix: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def clone(self) -> str:
        """A new database with the current schema and no rows; its conninfo."""
        return self._create(sql.SQL("TEMPLATE {}").format(sql.Identifier(TEMPLATE_DATABASE)))

    def empty(self) -> str:
        """A new database without any schema; its conninfo."""
        return self._create(sql.SQL("TEMPLATE template0"))

    def _create(self, source: sql.Composable) -> str:
        name = f"{self.prefix}_{next(self._numbers)}"
        with psycopg.connect(self.admin_conninfo, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), source)
            )
        return psycopg.conninfo.make_conninfo(self.admin_conninfo, dbname=name)

    def drop(self, conninfo: str) -> None:
        """Drop a database, whoever is still connected to it."""
        name = str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])
        with psycopg.connect(self.admin_conninfo, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


def clean(connection: psycopg.Connection[Any]) -> None:
    """Delete all rows of the schema `app`, after ending every other connection's work.

    Deleting from some twenty tables takes about 2 ms, a fresh clone and its drop about 45 ms.
    """
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    tables = connection.execute(
        "SELECT tablename FROM pg_tables"
        " WHERE schemaname = 'app' AND tablename <> 'schema_migrations'"
    ).fetchall()
    deletes = [sql.SQL("DELETE FROM app.{}").format(sql.Identifier(name)) for (name,) in tables]
    # As a replica no foreign key and no trigger speaks up: the order of the tables is free.
    before, after = (
        sql.SQL("SET session_replication_role = replica"),
        sql.SQL("RESET session_replication_role"),
    )
    connection.execute(sql.SQL("; ").join([before, *deletes, after]))


@contextlib.contextmanager
def migrated_server() -> Iterator[PostgresServer]:
    """The run's server with its template database."""
    with temporary_postgres() as server:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE_DATABASE))
            )
        everybody: dict[AppRole, str | None] = dict.fromkeys(AppRole)
        migrate(server.conninfo(TEMPLATE_DATABASE), app_roles=everybody)
        yield server
