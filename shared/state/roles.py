"""The second wall: one database role per function, and what each may touch.

A role owns nothing and never gets more than its function's statements need: a fault in one
function cannot read or write what belongs to another.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

LOCK_TIMEOUT_MILLISECONDS: Final = 2_000
IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS: Final = 5_000


class AppRole(StrEnum):
    """The database roles of the functions."""

    MCP_ENDPOINT = "app_mcp_endpoint"
    OAUTH = "app_oauth"
    TOKEN_REFRESH = "app_token_refresh"  # noqa: S105 - names a role
    CLEANUP = "app_cleanup"


STATEMENT_TIMEOUT_MILLISECONDS: Final[Mapping[AppRole, int]] = {
    AppRole.MCP_ENDPOINT: 3_000,
    AppRole.OAUTH: 3_000,
    AppRole.TOKEN_REFRESH: 5_000,
    AppRole.CLEANUP: 30_000,
}

_EVERYBODY: Final[tuple[LiteralString, ...]] = (
    "EXECUTE ON FUNCTION app.now()",
    "EXECUTE ON FUNCTION app.audit_append(uuid, text, uuid, uuid, uuid, text, jsonb)",
)

# To refresh a pair, and to end a grant that Drupal rejects.
_REFRESH: Final[tuple[LiteralString, ...]] = (
    "SELECT ON app.data_keys",
    "SELECT ON app.users",
    "SELECT ON app.grants",
    (
        "UPDATE (status, ended_at, ended_cause, suspended_until, pair_ciphertext, key_generation,"
        " pair_generation, access_expires_at, refresh_at, refresh_failures, lease_owner,"
        " lease_until) ON app.grants"
    ),
    "SELECT (session_id, grant_id, ended_at) ON app.sessions",
    "UPDATE (ended_at, ended_cause) ON app.sessions",
    "SELECT, INSERT ON app.refresh_attempts",
    "UPDATE (finished_at, outcome) ON app.refresh_attempts",
    "SELECT, INSERT ON app.revocation_outbox",
)

GRANTS: Final[Mapping[AppRole, tuple[LiteralString, ...]]] = {
    AppRole.MCP_ENDPOINT: (
        *_EVERYBODY,
        *_REFRESH,
        "EXECUTE ON FUNCTION app.authenticate_call(bytea)",
        "EXECUTE ON FUNCTION app.close_call(uuid, uuid, text, text, text, integer, integer)",
        "SELECT, INSERT, UPDATE ON app.tool_catalogue",
    ),
    AppRole.OAUTH: (
        *_EVERYBODY,
        *_REFRESH,
        "SELECT, INSERT ON app.clients",
        "UPDATE (unused_expires_at) ON app.clients",
        "SELECT, INSERT, DELETE ON app.sign_ins",
        "UPDATE (state_hash) ON app.sign_ins",
        "SELECT, INSERT, UPDATE ON app.browser_approvals",
        "INSERT ON app.users",
        "INSERT ON app.data_keys",
        "INSERT ON app.grants",
        "SELECT, INSERT ON app.authorization_codes",
        "UPDATE (used_at) ON app.authorization_codes",
        "SELECT, INSERT ON app.sessions",
        "SELECT, INSERT ON app.access_tokens",
        "SELECT, INSERT ON app.refresh_tokens",
        "UPDATE (used_at, successor_sealed) ON app.refresh_tokens",
    ),
    AppRole.TOKEN_REFRESH: (*_EVERYBODY, *_REFRESH),
    AppRole.CLEANUP: (
        *_EVERYBODY,
        *_REFRESH,
        "INSERT, UPDATE ON app.data_keys",
        "UPDATE, DELETE ON app.revocation_outbox",
        "DELETE ON app.grants",
        "SELECT, UPDATE, DELETE ON app.clients",
        "SELECT, UPDATE, DELETE ON app.sign_ins",
        "SELECT, UPDATE, DELETE ON app.browser_approvals",
        "DELETE, UPDATE ON app.refresh_attempts",
        "SELECT, UPDATE, DELETE ON app.authorization_codes",
        "SELECT, UPDATE, DELETE ON app.sessions",
        "SELECT, UPDATE, DELETE ON app.access_tokens",
        "SELECT, UPDATE, DELETE ON app.refresh_tokens",
        "SELECT, UPDATE, DELETE ON app.usage_events",
        "SELECT, UPDATE, DELETE ON app.tool_catalogue",
    ),
}

# Creating a role that another database of the same server creates at this moment is no error.
_CREATE: Final = sql.SQL(
    "DO $$ BEGIN CREATE ROLE {role} LOGIN NOINHERIT;"
    " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
)


def ensure_roles(
    connection: psycopg.Connection[Any], passwords: Mapping[AppRole, str | None]
) -> None:
    """Create the given roles where they are missing, and grant each exactly what ``GRANTS`` says.

    A password of None leaves authentication to the server (IAM, or trust on a local socket).
    Runs in the caller's transaction.
    """
    for role, password in passwords.items():
        name = sql.Identifier(role.value)
        connection.execute(_CREATE.format(role=name))
        if password is not None:
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password))
            )
        _set_timeouts(connection, role)
        _grant(connection, role)


def _set_timeouts(connection: psycopg.Connection[Any], role: AppRole) -> None:
    timeouts = {
        "statement_timeout": STATEMENT_TIMEOUT_MILLISECONDS[role],
        "lock_timeout": LOCK_TIMEOUT_MILLISECONDS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS,
    }
    for setting, milliseconds in timeouts.items():
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                sql.Identifier(role.value), sql.Identifier(setting), sql.Literal(milliseconds)
            )
        )


def _grant(connection: psycopg.Connection[Any], role: AppRole) -> None:
    name = sql.Identifier(role.value)
    # Table privileges revoked take those on single columns with them.
    connection.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA app FROM {}").format(name))
    connection.execute(sql.SQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM {}").format(name))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA app TO {}").format(name))
    for grant in GRANTS[role]:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(grant), name))
