"""Brings a database to the schema of this code: forward only, plain SQL, safe to run again.

Meant for the writer itself; through a pool of transactions it works too, since nothing here
outlives its transaction. Never edits what has been applied: a file whose text has changed since
stops it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, LiteralString

import psycopg

from shared.state.roles import ONE_MIGRATOR, AppRole, ensure_roles

CONNECT_TIMEOUT_SECONDS: Final = 10

_BOOTSTRAP: Final[LiteralString] = """
    SELECT pg_advisory_xact_lock(hashtextextended('app.schema_migrations', 0));
    CREATE SCHEMA IF NOT EXISTS app;
    CREATE TABLE IF NOT EXISTS app.schema_migrations (
        name text PRIMARY KEY,
        checksum bytea NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    );
"""
# Only from here on: waiting for another migrator may take as long as that one needs.
_LIMIT_LOCK_WAITS: Final[LiteralString] = "SET LOCAL lock_timeout = '5s'"
_APPLIED: Final[LiteralString] = "SELECT checksum FROM app.schema_migrations WHERE name = %s"
_RECORD: Final[LiteralString] = "INSERT INTO app.schema_migrations (name, checksum) VALUES (%s, %s)"


class MigrationChangedError(Exception):
    """A migration that was applied has another text now; write a new one instead."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of ``migrations/``; files apply in the order of their names."""

    name: str
    statements: LiteralString

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the text."""
        return hashlib.sha256(self.statements.encode()).digest()


def all_migrations() -> list[Migration]:
    """Every migration of this code, in order."""
    folder = files("shared.state").joinpath("migrations")
    found = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return [
        Migration(file.name, file.read_text(encoding="utf-8"))
        for file in sorted(found, key=lambda file: file.name)
    ]


def migrate(
    conninfo: str,
    *,
    app_roles: Mapping[AppRole, str | None] | None = None,
    rights_exact: bool = True,
    migrations: list[Migration] | None = None,
) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; the names applied.

    ``app_roles`` are created and granted afresh: role -> password, None for none. Without
    ``rights_exact`` they keep what they had in addition: code of the release before may still run.
    Any number of migrators may run at once; one that was interrupted is simply run again.

    Raises:
        MigrationChangedError: an applied migration has been edited.
        psycopg.Error: a statement failed; that file has left nothing behind.
    """
    pending = all_migrations() if migrations is None else migrations
    with psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        # In a pool the next server knows nothing of a statement, or another one of its name.
        prepare_threshold=None,
    ) as connection:
        with connection.transaction():
            connection.execute(_BOOTSTRAP)
        applied = [one.name for one in pending if _apply(connection, one)]
        if app_roles:
            ensure_roles(connection, app_roles, exact=rights_exact)
    return applied


def _apply(connection: psycopg.Connection[Any], migration: Migration) -> bool:
    with connection.transaction():
        connection.execute(ONE_MIGRATOR)
        row = connection.execute(_APPLIED, [migration.name]).fetchone()
        if row is not None:
            if bytes(row[0]) != migration.checksum:
                raise MigrationChangedError(migration.name)
            return False
        connection.execute(_LIMIT_LOCK_WAITS)
        connection.execute(migration.statements)
        connection.execute(_RECORD, [migration.name, migration.checksum])
    return True
