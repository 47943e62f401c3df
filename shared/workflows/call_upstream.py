"""Calls Drupal on behalf of a person, with a token that works if there is one.

Never refreshes more than once in a call, and never ends a grant because a call was refused.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from shared.circuit.guard import CircuitGuard
from shared.domain.circuits import Dependency
from shared.domain.grants import AuthenticatedCall, Grant, GrantStatus
from shared.domain.refresh_times import REFRESH_DEADLINE_SECONDS
from shared.errors.base import ServiceError, UnavailableError
from shared.observability import recovery, request_context
from shared.observability.request_context import Ending
from shared.state import grants
from shared.state.database import Database
from shared.upstream.failures import (
    UpstreamMisconfiguredError,
    UpstreamTimeoutError,
    UpstreamTokenRejectedError,
    UpstreamUnavailableError,
)
from shared.vault.token_vault import TokenVault
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from shared.workflows.refused_calls import refuse_while_open
from shared.workflows.sealed_pairs import open_pair
from shared.workflows.suspension import ADMITTED_ERRORS, GrantEndedError, Suspensions

T = TypeVar("T")
Request = Callable[[str], Awaitable[T]]

REFRESH_AHEAD_SECONDS = 30
"""An access token that ends within this time is replaced before it is used."""
REFRESH_MARGIN_SECONDS = 5.0
"""Left of the invocation after a refresh: it must never be cut off between answer and commit."""
REFRESH_SECONDS_MIN = 2.0
"""A refresh with less time than this is not begun: its answer might reach nobody."""
FOLLOW_SECONDS_MAX = 3.0
SITE_TOKEN = "site_token"  # noqa: S105 - names what failed
FOLLOW_PAUSE_SECONDS_MIN = 0.05
FOLLOW_PAUSE_SECONDS_MAX = 0.4


@dataclass(frozen=True, slots=True)
class _Usable:
    """A grant to call with, and what was done for it in this very call."""

    grant: Grant
    refreshed: bool = False
    failure: ServiceError | None = None
    """Why its access token, which ends soon, was not replaced."""


class UpstreamCaller:
    """Runs one request to Drupal with a grant's access token."""

    def __init__(
        self,
        database: Database,
        vault: TokenVault,
        refresher: GrantRefresher,
        *,
        circuits: CircuitGuard | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._refresher = refresher
        self._circuits = circuits
        self._suspensions = Suspensions(database)

    async def run(self, call: AuthenticatedCall, request: Request[T]) -> T:
        """The result of ``request``, called with an access token; twice at most.

        Raises:
            AccountUnavailableError: Drupal refuses the account; the grant is suspended for a
                while and stays.
            GrantEndedError: Drupal has taken the grant back.
            UnavailableError: no token that works can be had at the moment.
            UpstreamUnavailableError: the site's circuit is open; nothing was begun.
            ServiceError: whatever ``request`` raises but a refused token.
        """
        self._refuse_early()
        await self._suspensions.admit(call.grant, call.now)
        try:
            result = await self._tried(call, request)
        except ADMITTED_ERRORS:
            await self._suspensions.lift(call.grant)
            raise
        await self._suspensions.lift(call.grant)
        return result

    def _refuse_early(self) -> None:
        """Before a pair is opened or refreshed for a call that would not go out."""
        if self._circuits is not None:
            refuse_while_open(self._circuits, Dependency.DRUPAL_RPC)

    async def _tried(self, call: AuthenticatedCall, request: Request[T]) -> T:
        first = await self._with_time_left(call)
        try:
            return await request(await self._access_token(first.grant))
        except UpstreamTokenRejectedError as error:
            if first.refreshed:
                # Refused straight after a refresh: another one would change nothing.
                raise await self._suspensions.suspend(first.grant) from error
            if first.failure is not None:
                raise first.failure from error
            recovery.met(SITE_TOKEN, error)
        second = await self._newer(first.grant)
        try:
            result = await request(await self._access_token(second.grant))
        except UpstreamTokenRejectedError as error:
            raise await self._suspensions.suspend(second.grant) from error
        recovery.recovered(SITE_TOKEN, Ending.REFRESH)
        return result

    async def _access_token(self, grant: Grant) -> str:
        return (await open_pair(self._vault, grant)).access_token

    async def _with_time_left(self, call: AuthenticatedCall) -> _Usable:
        """The grant with an access token that lives on for a while, if that can be had."""
        grant = call.grant
        if grant.access_expires_at > call.now + timedelta(seconds=REFRESH_AHEAD_SECONDS):
            return _Usable(grant)
        try:
            return await self._newer(grant)
        except (UnavailableError, UpstreamMisconfiguredError) as error:
            if grant.access_expires_at <= call.now:
                raise
            return _Usable(grant, failure=error)

    async def _newer(self, grant: Grant) -> _Usable:
        """The grant with a pair after this one, refreshed by whoever gets to it.

        Raises:
            GrantEndedError: there will be none.
            UnavailableError, UpstreamMisconfiguredError: not now.
        """
        current = await self._reread(grant)
        if current.pair_generation != grant.pair_generation:
            return _Usable(current)
        outcome = await self._refresher.refresh(
            grant.grant_id, grant.pair_generation, timeout_seconds=_refresh_seconds()
        )
        if outcome is RefreshOutcome.REJECTED:
            raise GrantEndedError({"outcome": outcome.value})
        if outcome is RefreshOutcome.INDETERMINATE:
            raise UpstreamUnavailableError({"outcome": outcome.value}, sent=False)
        followed = await self._follow(grant)
        return _Usable(followed, refreshed=outcome is RefreshOutcome.REFRESHED)

    async def _follow(self, grant: Grant) -> Grant:
        """The grant once its generation has moved: another worker may still be at it."""
        pause_seconds = FOLLOW_PAUSE_SECONDS_MIN
        waited_seconds = 0.0
        while True:
            current = await self._reread(grant)
            if current.pair_generation != grant.pair_generation:
                return current
            if waited_seconds >= FOLLOW_SECONDS_MAX:
                raise UpstreamTimeoutError({"waited_for": "refresh"}, sent=False)
            await asyncio.sleep(pause_seconds)
            waited_seconds += pause_seconds
            pause_seconds = min(pause_seconds * 2, FOLLOW_PAUSE_SECONDS_MAX)

    async def _reread(self, grant: Grant) -> Grant:
        async with self._database.autocommit() as tx:
            current = await grants.find(tx, grant.grant_id)
        if current is None or current.status is GrantStatus.ENDED:
            raise GrantEndedError({"outcome": "ended"})
        return current


def _refresh_seconds() -> float:
    """How long Drupal may take over a refresh within this invocation.

    Raises:
        UpstreamTimeoutError: too little is left to begin one.
    """
    left = request_context.remaining_seconds() - REFRESH_MARGIN_SECONDS
    if left < REFRESH_SECONDS_MIN:
        raise UpstreamTimeoutError({"waited_for": "invocation"}, sent=False)
    return min(left, float(REFRESH_DEADLINE_SECONDS))
