"""State of the fake site, written through to SQLite so that a restart keeps tokens and accounts.

Never hold a row only in memory: a killed process must come back with everything it answered for.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from scripts.fake_drupal.accounts import DEMO_ACCOUNTS, Account
from scripts.fake_drupal.records import (
    AccessTokenRow,
    Approval,
    BrowserSession,
    CodeRow,
    OAuthClient,
    RefreshTokenRow,
)

Row = TypeVar("Row")

_CREATE = (
    "CREATE TABLE IF NOT EXISTS rows (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
)
_SELECT = "SELECT key, body FROM rows WHERE kind = ?"
_UPSERT = "INSERT OR REPLACE INTO rows (kind, key, body) VALUES (?, ?, ?)"
_DELETE = "DELETE FROM rows WHERE kind = ? AND key = ?"


class Table(Generic[Row]):
    """Rows of one kind by key."""

    def __init__(self, connection: sqlite3.Connection, kind: str, row_type: type[Row]) -> None:
        self._connection = connection
        self._kind = kind
        self._adapter: TypeAdapter[Row] = TypeAdapter(row_type)
        self._rows: dict[str, Row] = {
            key: self._adapter.validate_json(body)
            for key, body in connection.execute(_SELECT, (kind,))
        }

    def get(self, key: str) -> Row | None:
        """The row with that key."""
        return self._rows.get(key)

    def put(self, key: str, row: Row) -> None:
        """Insert or replace."""
        body = self._adapter.dump_json(row).decode()
        self._connection.execute(_UPSERT, (self._kind, key, body))
        self._rows[key] = row

    def delete(self, key: str) -> None:
        """Remove if there."""
        self._connection.execute(_DELETE, (self._kind, key))
        self._rows.pop(key, None)

    def items(self) -> Iterator[tuple[str, Row]]:
        """A snapshot of all rows with their keys."""
        return iter(list(self._rows.items()))

    def clear(self) -> None:
        """Remove every row."""
        for key in list(self._rows):
            self.delete(key)


class Store:
    """All tables of one site."""

    def __init__(self, path: Path | None) -> None:
        # Autocommit without fsync: survives the death of the process, which is what is asked.
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(_CREATE)
        self.access_tokens = Table(self._connection, "access_token", AccessTokenRow)
        self.refresh_tokens = Table(self._connection, "refresh_token", RefreshTokenRow)
        self.codes = Table(self._connection, "code", CodeRow)
        self.browser_sessions = Table(self._connection, "browser_session", BrowserSession)
        self.approvals = Table(self._connection, "approval", Approval)
        self.clients = Table(self._connection, "client", OAuthClient)
        self.accounts = Table(self._connection, "account", Account)
        if not list(self.accounts.items()):
            self.restore_accounts()

    def restore_accounts(self) -> None:
        """Back to the demo accounts."""
        self.accounts.clear()
        for account in DEMO_ACCOUNTS:
            self.accounts.put(str(account.uid), account)

    def account(self, uid: int | None) -> Account | None:
        """The account with that uid."""
        return None if uid is None else self.accounts.get(str(uid))

    def account_named(self, name: str) -> Account | None:
        """The account with that user name."""
        return next((account for _, account in self.accounts.items() if account.name == name), None)

    def revoke_access_tokens(self, *, uid: int | None = None, client_id: str | None = None) -> int:
        """Delete the access tokens of a user or of a client; returns how many."""
        doomed = [
            jti
            for jti, row in self.access_tokens.items()
            if (uid is not None and row.uid == uid)
            or (client_id is not None and row.client_id == client_id)
        ]
        for jti in doomed:
            self.access_tokens.delete(jti)
        return len(doomed)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
