"""The one place that knows the Postgres driver's exceptions and turns them into ours.

Never lets the server's text through: it can quote values.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode

_PASSING_STATES: Final = frozenset(
    {
        "25006",  # read_only_sql_transaction: this server is no longer the writer
        "25P03",  # idle_in_transaction_session_timeout
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "53300",  # too_many_connections
        "55P03",  # lock_not_available: lock_timeout
        "57014",  # query_canceled: statement_timeout
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
    }
)
_DEMOTED: Final = "25006"
_LOST_TO_RIVAL: Final = frozenset({"40001", "40P01"})


class DatabaseUnavailableError(UnavailableError):
    """Postgres is away, busy or slow; the transaction has not happened."""

    code = ErrorCode.DATABASE_UNAVAILABLE


class CommitUnknownError(DatabaseUnavailableError):
    """The connection was lost during COMMIT: nobody knows whether it happened."""


class DatabaseStatementError(ServiceError):
    """Postgres refused a statement: a fault in ours, or a broken rule of the schema."""

    code = ErrorCode.INTERNAL_ERROR


@contextmanager
def driver_errors() -> Iterator[None]:
    """Translate what the driver raises.

    Raises:
        DatabaseUnavailableError: trying again later makes sense.
        DatabaseStatementError: it does not.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        # Not chained: tracebacks and crash reports would show the server's text, and with it rows.
        facts = {"sqlstate": state, "constraint": error.diag.constraint_name}
        passing = isinstance(error, psycopg.OperationalError) or state in _PASSING_STATES
        if passing:
            raise DatabaseUnavailableError(facts) from None
        raise DatabaseStatementError(facts) from None


def lost_to_rival(error: ServiceError) -> bool:
    """Whether another transaction was let through in place of this one, which has not happened."""
    return error.facts.get("sqlstate") in _LOST_TO_RIVAL


def is_demoted(error: ServiceError) -> bool:
    """Whether the server behind the connection has stopped being the writer."""
    return error.facts.get("sqlstate") == _DEMOTED
