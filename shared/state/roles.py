"""The second wall: one database role per function, and what each may touch.

A role owns nothing and never gets more than its function's statements need: a fault in one
function cannot read or write what belongs to another.
"""

import secrets
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

LOCK_TIMEOUT_MILLISECONDS: Final = 2_000
IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS: Final = 5_000
ROLE_TRIES_MAX: Final = 20
ROLE_PAUSE_SECONDS_MAX: Final = 0.1

# Readers of the table, such as a health check, are not in the way.
ONE_MIGRATOR: Final[LiteralString] = "LOCK TABLE app.schema_migrations IN SHARE ROW EXCLUSIVE MODE"

_random: Final = secrets.SystemRandom()


class AppRole(StrEnum):
    """The database roles of the functions, and those of operators' commands."""

    MCP_ENDPOINT = "app_mcp_endpoint"
    OAUTH = "app_oauth"
    TOKEN_REFRESH = "app_token_refresh"  # noqa: S105 - names a role
    CLEANUP = "app_cleanup"
    CONTAINMENT = "app_containment"
    """Of an operator at ``scripts/contain``; no function connects as it."""
    REPORT = "app_report"
    """Of whoever runs ``scripts/report``: reads counts of usage, and nothing else."""


OPERATORS_ROLES: Final = frozenset({AppRole.CONTAINMENT, AppRole.REPORT})

STATEMENT_TIMEOUT_MILLISECONDS: Final[Mapping[AppRole, int]] = {
    AppRole.MCP_ENDPOINT: 3_000,
    AppRole.OAUTH: 3_000,
    AppRole.TOKEN_REFRESH: 5_000,
    AppRole.CLEANUP: 30_000,
    AppRole.CONTAINMENT: 15_000,
    AppRole.REPORT: 30_000,
}

_EVERYBODY: Final[tuple[LiteralString, ...]] = (
    "EXECUTE ON FUNCTION app.now()",
    "EXECUTE ON FUNCTION app.append_audit_event(uuid, text, uuid, uuid, uuid, text, jsonb)",
)

# To refresh a pair, to end a grant that Drupal rejects, and to take such an end back.
_REFRESH: Final[tuple[LiteralString, ...]] = (
    "SELECT ON app.data_keys",
    "SELECT ON app.users",
    "SELECT ON app.grants",
    (
        "UPDATE (status, ended_at, ended_cause, suspended_until, pair_ciphertext, key_generation,"
        " pair_generation, access_expires_at, refresh_at, refresh_failures, lease_owner,"
        " lease_until, keep_alive_at) ON app.grants"
    ),
    "SELECT (session_id, grant_id, ended_at, ended_cause) ON app.sessions",
    "UPDATE (ended_at, ended_cause) ON app.sessions",
    "SELECT, INSERT ON app.refresh_attempts",
    "UPDATE (finished_at, outcome) ON app.refresh_attempts",
    "SELECT, INSERT ON app.revocation_outbox",
)

# To hear of the circuits, and to report what was seen of a dependency.
_CIRCUITS: Final[tuple[LiteralString, ...]] = (
    "EXECUTE ON FUNCTION app.circuit_view()",
    "EXECUTE ON FUNCTION app.report_calls(text, integer, integer, jsonb)",
    "EXECUTE ON FUNCTION app.claim_probe(text, uuid, double precision)",
    "EXECUTE ON FUNCTION app.end_probe(text, uuid, text, jsonb)",
)

GRANTS: Final[Mapping[AppRole, tuple[LiteralString, ...]]] = {
    AppRole.MCP_ENDPOINT: (
        *_EVERYBODY,
        *_REFRESH,
        *_CIRCUITS,
        "EXECUTE ON FUNCTION app.authenticate_call(bytea)",
        "EXECUTE ON FUNCTION app.close_call(uuid, uuid, jsonb, double precision)",
        (
            "EXECUTE ON FUNCTION app.admit_call("
            "uuid, uuid, text, integer, double precision, integer, double precision)"
        ),
        "EXECUTE ON FUNCTION app.end_call(uuid, uuid)",
        "SELECT, INSERT, UPDATE ON app.tool_catalogue",
        "EXECUTE ON FUNCTION app.note_shown(uuid, text, bytea, integer)",
        "EXECUTE ON FUNCTION app.store_body(text)",
        "EXECUTE ON FUNCTION app.find_shown(uuid, text, integer)",
        "EXECUTE ON FUNCTION app.forget_shown(uuid, text)",
        "EXECUTE ON FUNCTION app.keep_search(uuid, bytea, text, integer)",
        "EXECUTE ON FUNCTION app.find_search(uuid, bytea, double precision)",
        "EXECUTE ON FUNCTION app.forget_searches(uuid)",
        "SELECT, INSERT, UPDATE ON app.session_abilities",
        "EXECUTE ON FUNCTION app.note_session_network(uuid, bytea, integer)",
    ),
    AppRole.OAUTH: (
        *_EVERYBODY,
        *_REFRESH,
        *_CIRCUITS,
        "SELECT, INSERT ON app.clients",
        "UPDATE (unused_expires_at) ON app.clients",
        "SELECT, INSERT, UPDATE ON app.client_documents",
        "SELECT, INSERT, UPDATE ON app.client_document_hosts",
        "SELECT, INSERT, UPDATE ON app.client_key_sets",
        (
            "EXECUTE ON FUNCTION"
            " app.put_document_client(text, text, text, text[], json, text, boolean, integer)"
        ),
        (
            "EXECUTE ON FUNCTION"
            " app.put_preregistered_client(text, text, text, text[], json, text, boolean)"
        ),
        "SELECT, INSERT ON app.assertion_ids",
        "SELECT, INSERT, DELETE ON app.sign_ins",
        "UPDATE (state_hash, total_milliseconds, own_milliseconds) ON app.sign_ins",
        "SELECT, INSERT, UPDATE ON app.browser_approvals",
        "INSERT ON app.users",
        "UPDATE (seen_at) ON app.users",
        "INSERT ON app.data_keys",
        "INSERT ON app.grants",
        "SELECT, INSERT ON app.authorization_codes",
        "UPDATE (used_at) ON app.authorization_codes",
        "SELECT, INSERT ON app.sessions",
        "SELECT, INSERT ON app.access_tokens",
        "SELECT, INSERT ON app.refresh_tokens",
        "UPDATE (used_at, successor_sealed) ON app.refresh_tokens",
        "SELECT, INSERT, DELETE ON app.account_sign_ins",
        "SELECT, INSERT, DELETE ON app.account_visits",
        "UPDATE (idle_ends_at) ON app.account_visits",
        "SELECT (pair_id), INSERT, DELETE ON app.discarded_pairs",
        "EXECUTE ON FUNCTION app.take_from_limit(bytea, integer, double precision)",
    ),
    AppRole.TOKEN_REFRESH: (
        *_EVERYBODY,
        *_REFRESH,
        *_CIRCUITS,
        "SELECT, INSERT, UPDATE ON app.refresh_allowances",
    ),
    AppRole.CLEANUP: (
        *_EVERYBODY,
        *_REFRESH,
        *_CIRCUITS,
        "INSERT, DELETE ON app.data_keys",
        "UPDATE (wrapped_key, kms_key_id) ON app.data_keys",
        "UPDATE (subject, salt, erasure_requested_at, erased_at) ON app.users",
        "DELETE ON app.users",
        "UPDATE, DELETE ON app.revocation_outbox",
        "DELETE ON app.grants",
        "SELECT, UPDATE, DELETE ON app.clients",
        "SELECT, UPDATE, DELETE ON app.client_documents",
        "SELECT, UPDATE, DELETE ON app.client_document_hosts",
        "SELECT, UPDATE, DELETE ON app.client_key_sets",
        "SELECT, UPDATE, DELETE ON app.sign_ins",
        "SELECT, UPDATE, DELETE ON app.browser_approvals",
        "SELECT, UPDATE, DELETE ON app.account_sign_ins",
        "SELECT, UPDATE, DELETE ON app.account_visits",
        "SELECT, INSERT, UPDATE, DELETE ON app.discarded_pairs",
        "DELETE, UPDATE ON app.refresh_attempts",
        "SELECT, UPDATE, DELETE ON app.authorization_codes",
        "SELECT, UPDATE, DELETE ON app.sessions",
        "SELECT, UPDATE, DELETE ON app.access_tokens",
        "SELECT, UPDATE, DELETE ON app.refresh_tokens",
        "SELECT, UPDATE, DELETE ON app.usage_events",
        "SELECT, UPDATE, DELETE ON app.searches_shown",
        "SELECT, UPDATE, DELETE ON app.content_titles",
        "SELECT, INSERT, UPDATE, DELETE ON app.usage_rolled",
        "SELECT, INSERT, UPDATE, DELETE ON app.usage_hours",
        "SELECT, INSERT, UPDATE, DELETE ON app.usage_days",
        "SELECT, INSERT, UPDATE, DELETE ON app.usage_day_people",
        "SELECT, INSERT, UPDATE, DELETE ON app.usage_day_access",
        "SELECT, INSERT, UPDATE, DELETE ON app.usage_day_content",
        "SELECT, INSERT, UPDATE, DELETE ON app.usage_day_queries",
        "SELECT, UPDATE, DELETE ON app.tool_catalogue",
        "SELECT, UPDATE, DELETE ON app.calls_in_flight",
        "SELECT, UPDATE, DELETE ON app.content_shown",
        "SELECT, UPDATE, DELETE ON app.content_bodies",
        "SELECT, UPDATE, DELETE ON app.kept_searches",
        "SELECT, UPDATE, DELETE ON app.assertion_ids",
        "SELECT, UPDATE, DELETE ON app.session_networks",
        "EXECUTE ON FUNCTION app.audit_coverage(double precision, double precision)",
        "EXECUTE ON FUNCTION app.usage_bypasses(double precision, double precision, jsonb)",
        "EXECUTE ON FUNCTION app.make_audit_partitions(integer)",
        "EXECUTE ON FUNCTION app.count_audit_strays()",
        "EXECUTE ON FUNCTION app.audit_heads()",
        "EXECUTE ON FUNCTION app.next_audit_part(integer, integer)",
        (
            "EXECUTE ON FUNCTION"
            " app.note_audit_part(date, smallint, bigint, bigint, integer, text, bytea)"
        ),
        "EXECUTE ON FUNCTION app.drop_audit_month(integer)",
        # What operators look at and force.
        "SELECT, INSERT, UPDATE ON app.circuits",
        "SELECT ON app.circuit_calls",
        "SELECT, UPDATE, DELETE ON app.rate_limits",
    ),
    AppRole.REPORT: (
        "SELECT ON app.usage_rolled",
        "SELECT ON app.usage_hours",
        "SELECT ON app.usage_days",
        "SELECT ON app.usage_day_people",
        "SELECT ON app.usage_day_access",
        "SELECT ON app.usage_day_content",
        "SELECT ON app.usage_day_queries",
        "SELECT ON app.content_titles",
    ),
    # Ends and forgets, and sees no token, key, salt or address on the way.
    AppRole.CONTAINMENT: (
        *_EVERYBODY,
        "SELECT (client_id, blocked_at) ON app.clients",
        "UPDATE (blocked_at) ON app.clients",
        "SELECT (user_id, site, subject) ON app.users",
        "SELECT (grant_id, user_id, client_id, client_family, status, created_at) ON app.grants",
        (
            "UPDATE (status, ended_at, ended_cause, refresh_at, suspended_until, lease_owner,"
            " lease_until) ON app.grants"
        ),
        "SELECT (session_id, grant_id, ended_at) ON app.sessions",
        "UPDATE (ended_at, ended_cause) ON app.sessions",
        "SELECT (grant_id), INSERT ON app.revocation_outbox",
        "SELECT (session_id, expires_at) ON app.access_tokens",
        "SELECT (grant_id, used_at, expires_at) ON app.authorization_codes",
        "SELECT (ctid, client_id, created_at), DELETE ON app.sign_ins",
        "SELECT (ctid, created_at), DELETE ON app.account_sign_ins",
        "SELECT (ctid, client_id), DELETE ON app.browser_approvals",
        "SELECT (ctid, user_id, created_at), DELETE ON app.account_visits",
    ),
}

# Creating a role that another database of the same server creates at this moment is no error.
_CREATE: Final = sql.SQL(
    "DO $$ BEGIN CREATE ROLE {role} LOGIN NOINHERIT;"
    " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
)

_SETTINGS: Final[LiteralString] = "SELECT rolconfig FROM pg_roles WHERE rolname = %s"


def ensure_roles(
    connection: psycopg.Connection[Any],
    passwords: Mapping[AppRole, str | None],
    *,
    exact: bool = True,
) -> None:
    """Create the given roles where they are missing, and grant each what ``GRANTS`` says.

    ``exact`` takes everything else from them; without it rights are only added. A password of None
    leaves authentication to the server (IAM, or trust on a local socket). Needs a connection in
    autocommit mode.
    """
    for role, password in passwords.items():
        _ensure_role(connection, role, password)
    with connection.transaction():
        connection.execute(ONE_MIGRATOR)
        for role in passwords:
            if exact:
                _take_all(connection, role)
            _grant(connection, role)


def _ensure_role(connection: psycopg.Connection[Any], role: AppRole, password: str | None) -> None:
    """Roles belong to the whole server: a migrator of another database may be at the same one.

    Postgres does not queue changes of its own tables ("tuple concurrently updated"), so the
    later one tries again; each statement commits by itself, so that they collide seldom.
    """
    for tries_left in reversed(range(ROLE_TRIES_MAX)):
        try:
            connection.execute(_CREATE.format(role=sql.Identifier(role.value)))
            if password is not None:
                _set_password(connection, role, password)
            return _set_timeouts(connection, role)
        except psycopg.errors.InternalError_:
            if not tries_left:
                raise
            time.sleep(_random.uniform(0, ROLE_PAUSE_SECONDS_MAX))
    return None


def _take_all(connection: psycopg.Connection[Any], role: AppRole) -> None:
    name = sql.Identifier(role.value)
    # Table privileges revoked take those on single columns with them.
    connection.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA app FROM {}").format(name))
    connection.execute(sql.SQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM {}").format(name))


def _grant(connection: psycopg.Connection[Any], role: AppRole) -> None:
    name = sql.Identifier(role.value)
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA app TO {}").format(name))
    for privilege in GRANTS[role]:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(privilege), name))


def _set_password(connection: psycopg.Connection[Any], role: AppRole, password: str) -> None:
    # Only the verifier is sent: the server's log may keep the statement.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.value.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(role.value), sql.Literal(verifier.decode())
        )
    )


def _set_timeouts(connection: psycopg.Connection[Any], role: AppRole) -> None:
    wanted = {
        "statement_timeout": STATEMENT_TIMEOUT_MILLISECONDS[role],
        "lock_timeout": LOCK_TIMEOUT_MILLISECONDS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS,
    }
    row = connection.execute(_SETTINGS, [role.value]).fetchone()
    present = set(row[0] or ()) if row is not None else set()
    for setting, milliseconds in wanted.items():
        # Left alone where it is right: two migrators changing one role at once collide.
        if f"{setting}={milliseconds}" not in present:
            connection.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    sql.Identifier(role.value), sql.Identifier(setting), sql.Literal(milliseconds)
                )
            )
