"""The server of one example: real application, database, key service; new ones after a restart."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx2
import psycopg
from psycopg.conninfo import make_conninfo

from functions.cleanup.housekeeping import Housekeeping
from functions.mcp_endpoint.bearer import (
    AccessTokenExpiredError,
    AccessTokenInvalidError,
    AccessWithdrawnError,
    BearerCheck,
)
from functions.oauth.app import create_app
from shared.domain.identifiers import GrantId
from shared.domain.tokens import TokenHash
from shared.errors.base import ServiceError
from shared.state import calls
from shared.state.calls import Admission, CallRecord
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.state.roles import AppRole
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import TokenVault
from shared.workflows.discard_pair import DiscardedPairDrainer
from shared.workflows.drain_outbox import OutboxDrainer
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from tests.integration.oauth.driver import ISSUER, MCP_URL
from tests.integration.oauth.server_parts import dependencies_of
from tests.integration.oauth_machine.site import Site
from tests.support.clock import DatabaseClock
from tests.support.postgres import clean

T = TypeVar("T")

REFUSALS = (AccessTokenInvalidError, AccessTokenExpiredError, AccessWithdrawnError)
PLENTY_SECONDS = 1_000.0
"""A busy machine is no outage: only steps of the machine may make a difference."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where database and key service are, and who looks after them."""

    database_url: str
    admin: psycopg.Connection[Any]
    clock: DatabaseClock
    kms: KmsDataKeys
    """Kept over restarts: to read its description again takes longer than an example."""


@dataclass
class World:
    """The four functions as far as tokens concern them; every request runs to its end."""

    place: Place
    runner: asyncio.Runner
    site: Site = field(default_factory=Site)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``."""
        return self.runner.run(work)

    def begin(self) -> None:
        """An empty database whose clock stands still, and a new server."""
        self.stop()
        clean(self.place.admin)
        self.place.clock.stop()
        self.site = Site()
        self.start()

    def start(self) -> None:
        """New objects for everything that a process holds."""
        self.stop()
        database, vault = self._opened(AppRole.OAUTH)
        app = create_app(dependencies_of(database, vault=vault, upstream=self.site))
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER)
        self.stack.push_async_callback(self.http.aclose)
        self._calls, _ = self._opened(AppRole.MCP_ENDPOINT)
        self.bearer = BearerCheck(find_call=self._find_call, resource=MCP_URL)
        oauth = cast("DrupalOAuth", self.site)
        self._refresher = GrantRefresher(*self._opened(AppRole.TOKEN_REFRESH), oauth)
        database, vault = self._opened(AppRole.CLEANUP)
        self._housekeeping = Housekeeping(
            database,
            OutboxDrainer(database, vault, oauth),
            DiscardedPairDrainer(database, vault, oauth),
            batch_max=100,
            seconds_left=lambda: PLENTY_SECONDS,
        )

    def stop(self) -> None:
        """Close every connection."""
        self.run(self.stack.aclose())

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows as a superuser sees them."""
        return self.place.admin.execute(statement).fetchall()

    def clean_up(self) -> None:
        """One tick of the function ``cleanup``."""
        self.run(self._housekeeping.run())

    def accepted(self, access_tokens: Sequence[str]) -> set[str]:
        """Those with which the resource server lets a call through."""
        return self.run(self._accepted(access_tokens))

    async def _accepted(self, access_tokens: Sequence[str]) -> set[str]:
        accepted = set()
        for token in access_tokens:
            scope = {"headers": [(b"authorization", f"Bearer {token}".encode())]}
            with contextlib.suppress(*REFUSALS):
                await self.bearer.authenticate(scope)
                accepted.add(token)
        return accepted

    def refresh_pair(
        self, grant_id: str, generation: int, *, failure: ServiceError | None
    ) -> RefreshOutcome:
        """Have the pair refreshed, as the function ``token_refresh`` does."""
        self.site.refresh_failure = failure
        return self.run(self._refresher.refresh(GrantId(UUID(grant_id)), generation))

    def _opened(self, role: AppRole) -> tuple[Database, TokenVault]:
        conninfo = make_conninfo(self.place.database_url, user=role.value)
        database = Database(
            conninfo,
            connect_timeout_seconds=PLENTY_SECONDS,
            statement_timeout_seconds=PLENTY_SECONDS,
        )
        self.stack.push_async_callback(database.close)
        keys = StoredDataKeys(database)
        vault = TokenVault(stage="local", kms=self.place.kms, keys=keys, cache_seconds=300)
        return database, vault

    async def _find_call(
        self, token_hash: TokenHash, admission: Admission | None
    ) -> CallRecord | None:
        async with self._calls.autocommit() as tx:
            return await calls.authenticate(tx, token_hash, admission)
