"""What becomes of a grant whose person Drupal refuses although the tokens are fresh.

It is set aside, and ends by no means: nobody refreshes it ahead, and of all calls one is let
through every few minutes to see whether the account works again.
"""

from datetime import datetime

from shared.domain.grants import SUSPENDED_RETRY_SECONDS, Grant, GrantStatus
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.observability.logging import log
from shared.state import audit_events, grants, suspended_grants
from shared.state.audit_events import AuditAction
from shared.state.database import Database, DatabaseUnavailableError, Transaction
from shared.upstream.failures import (
    AccessForbiddenError,
    ArgumentsRejectedError,
    ContentNotFoundError,
    InsufficientUpstreamScopeError,
    UpstreamUnavailableError,
)

TRY_SECONDS_MAX = 30
"""A try that has come to no end by then, with Drupal away for instance, is anybody's again."""

ADMITTED_ERRORS = (
    AccessForbiddenError,
    ArgumentsRejectedError,
    ContentNotFoundError,
    InsufficientUpstreamScopeError,
)
"""What Drupal says to a person whose token it has accepted."""


class AccountUnavailableError(ServiceError):
    """Drupal refuses this account although its tokens are fresh: blocked, most likely."""

    code = ErrorCode.ACCOUNT_UNAVAILABLE


class GrantEndedError(ServiceError):
    """The grant has ended: the person has to sign in again."""

    code = ErrorCode.GRANT_ENDED


class Suspensions:
    """Sets grants aside, and takes them back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def admit(self, grant: Grant, now: datetime) -> None:
        """Let a call through that may ask Drupal; ``now`` is database time.

        Raises:
            AccountUnavailableError: the grant is suspended, and this is not the one try.
            GrantEndedError: the grant has ended.
            DatabaseUnavailableError: whose try it is cannot be settled.
        """
        if grant.status is GrantStatus.ENDED:
            raise GrantEndedError({"outcome": "ended"})
        if grant.status is not GrantStatus.SUSPENDED:
            return
        if grant.suspended_until is not None and grant.suspended_until > now:
            seconds = max(1, int((grant.suspended_until - now).total_seconds()))
            raise AccountUnavailableError({"suspended": True}, retry_after_seconds=seconds)
        async with self._database.autocommit() as tx:
            mine = await suspended_grants.begin_try(tx, grant.grant_id, seconds=TRY_SECONDS_MAX)
        if not mine:
            raise AccountUnavailableError({"suspended": True}, retry_after_seconds=TRY_SECONDS_MAX)

    async def lift(self, grant: Grant) -> None:
        """Take the grant back if it was suspended: Drupal has answered its person."""
        if grant.status is not GrantStatus.SUSPENDED:
            return
        try:
            async with self._database.transaction() as tx:
                if await suspended_grants.lift(tx, grant.grant_id):
                    await _audit(tx, AuditAction.GRANT_RESUMED, grant)
        except DatabaseUnavailableError as error:
            log.warning("end of a suspension not stored", error=error)

    async def suspend(self, grant: Grant) -> ServiceError:
        """Set the grant aside, unless the refused pair is no longer its pair; what callers hear.

        Of several calls that were refused at once the first one does.
        """
        try:
            async with self._database.transaction() as tx:
                current = await grants.find_locked(tx, grant.grant_id)
                if current is None or current.status is GrantStatus.ENDED:
                    return GrantEndedError({"outcome": "ended"})
                if current.pair_generation != grant.pair_generation:
                    # Nothing is known about the account as it is now.
                    return UpstreamUnavailableError({"outcome": "moved_on"}, sent=False)
                await _suspend_in(tx, grant)
        except DatabaseUnavailableError as error:
            log.warning("suspension of a grant not stored", error=error)
        log.warning("upstream refuses an account", grant_id=str(grant.grant_id))
        return AccountUnavailableError(retry_after_seconds=SUSPENDED_RETRY_SECONDS)


async def _suspend_in(tx: Transaction, grant: Grant) -> None:
    await grants.suspend(tx, grant_id=grant.grant_id, seconds=SUSPENDED_RETRY_SECONDS)
    await _audit(tx, AuditAction.GRANT_SUSPENDED, grant, seconds=SUSPENDED_RETRY_SECONDS)


async def _audit(tx: Transaction, action: AuditAction, grant: Grant, **details: int) -> None:
    await audit_events.append(
        tx,
        action,
        user_id=grant.user_id,
        grant_id=grant.grant_id,
        client_id=grant.client_id,
        details=details,
    )
