"""People signed in with a fake Drupal, their grants in a real Postgres, sealed by a real KMS.

Everything below the doors is the real thing; only the site and the key service are played.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg.conninfo import make_conninfo

from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from shared.domain.clients import Client, RegistrationKind
from shared.domain.grants import AuthenticatedCall, Grant, UpstreamPair, sane_life_seconds
from shared.domain.identifiers import ClientId, GrantId, SessionId, UpstreamSubject, UserId, new_id
from shared.domain.tokens import TokenKind, hash_token, mint
from shared.state import calls, clients, grants, sessions, users
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.state.refused_seals import AuditedRefusals
from shared.upstream.drupal_content import DrupalContent
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_rpc import DrupalRpc
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.wire import unverified_claims
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.pair_codec import encode_pair
from shared.vault.token_vault import TokenVault
from shared.workflows.call_upstream import UpstreamCaller
from shared.workflows.discard_pair import DiscardedPairDrainer
from shared.workflows.drain_outbox import OutboxDrainer
from shared.workflows.refresh_grant import GrantRefresher
from shared.workflows.sealed_pairs import open_pair, pair_binding, refresh_after_seconds

CLIENT_ID = ClientId("client-1")
RESOURCE = "https://mcp.example/mcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One execution environment: its own connection, keys and adapters."""

    database: Database
    vault: TokenVault
    oauth: DrupalOAuth
    refresher: GrantRefresher
    caller: UpstreamCaller
    drainer: OutboxDrainer
    discarded: DiscardedPairDrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A grant and our access token for it."""

    grant_id: GrantId
    user_id: UserId
    access_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamWorld:
    """A site, a database and as many workers as a test asks for."""

    drupal: RunningFakeDrupal
    site: DrupalSite
    database_url: str
    kms_key_id: str
    content: DrupalContent
    own: Worker
    stack: AsyncExitStack

    def worker(self, role: str | None = None) -> Worker:
        """Another execution environment, with the rights of a database role if one is named."""
        url = self.database_url if role is None else make_conninfo(self.database_url, user=role)
        return _worker(self.stack, url, self.kms_key_id, self.site)

    def issue(self, name: str) -> UpstreamPair:
        """A pair as after a finished sign-in at the site."""
        members = self.drupal.issue_pair(name)
        access_token = str(members["access_token"])
        subject = unverified_claims(access_token).sub
        assert subject is not None
        refresh_token = members.get("refresh_token")
        return UpstreamPair(
            access_token=access_token,
            refresh_token=None if refresh_token is None else str(refresh_token),
            life_seconds=sane_life_seconds(members.get("expires_in")),
            subject=UpstreamSubject(subject),
        )

    async def sign_in(self, name: str = "maya", pair: UpstreamPair | None = None) -> SignedIn:
        """Store what a finished sign-in stores: person, grant, session."""
        pair = pair or self.issue(name)
        grant_id, session_id = GrantId(new_id()), SessionId(new_id())
        access_token = mint(TokenKind.ACCESS)
        async with self.own.database.transaction() as tx:
            if await clients.find(tx, CLIENT_ID) is None:
                await clients.add(tx, _client(), unused_seconds=86_400)
            user_id, salt = await users.ensure(
                tx,
                user_id=UserId(new_id()),
                site=self.site.base_url,
                subject=pair.subject,
                salt=secrets.token_bytes(32),
            )
        sealed = await self.own.vault.seal(
            encode_pair(pair),
            user_salt=salt,
            binding=pair_binding(grant_id=grant_id, user_id=user_id, pair_generation=1),
        )
        async with self.own.database.transaction() as tx:
            await grants.create(
                tx,
                grant_id=grant_id,
                user_id=user_id,
                client_id=CLIENT_ID,
                pair=sealed,
                life_seconds=pair.life_seconds,
                refresh_after_seconds=refresh_after_seconds(pair.life_seconds),
            )
            await sessions.open(
                tx,
                session=sessions.NewSession(
                    session_id=session_id,
                    grant_id=grant_id,
                    client_id=CLIENT_ID,
                    resource=RESOURCE,
                    scopes=("tutorial:read",),
                ),
                access_hash=hash_token(access_token),
                access_seconds=28_800,
                refresh_hash=hash_token(mint(TokenKind.REFRESH)),
                sliding_seconds=2_592_000,
                absolute_seconds=7_776_000,
            )
        return SignedIn(grant_id=grant_id, user_id=user_id, access_token=access_token)

    async def call_of(self, signed_in: SignedIn) -> AuthenticatedCall:
        """What the bearer check hands to a tool."""
        async with self.own.database.autocommit() as tx:
            record = await calls.authenticate(tx, hash_token(signed_in.access_token))
        assert record is not None
        assert record.call is not None
        return record.call

    async def grant(self, signed_in: SignedIn) -> Grant:
        """The grant as stored."""
        async with self.own.database.autocommit() as tx:
            found = await grants.find(tx, signed_in.grant_id)
        assert found is not None
        return found

    async def pair(self, signed_in: SignedIn) -> UpstreamPair:
        """The stored pair in the open."""
        return await open_pair(self.own.vault, await self.grant(signed_in))

    async def row(self, signed_in: SignedIn) -> dict[str, Any]:
        """The grant's row with the columns that no other type shows."""
        async with self.own.database.autocommit() as tx:
            found = await tx.row(
                "SELECT status, ended_cause, refresh_failures, lease_owner, refresh_at,"
                " pair_ciphertext IS NULL AS pair_gone, app.now() AS now"
                " FROM app.grants WHERE grant_id = %(grant_id)s",
                {"grant_id": signed_in.grant_id},
            )
        assert found is not None
        return found

    async def outcomes(self, signed_in: SignedIn) -> list[str | None]:
        """Outcomes of the refresh attempts, in order; None is in doubt."""
        async with self.own.database.autocommit() as tx:
            found = await tx.rows(
                "SELECT outcome FROM app.refresh_attempts WHERE grant_id = %(grant_id)s"
                " ORDER BY started_at, attempt_id",
                {"grant_id": signed_in.grant_id},
            )
        return [one["outcome"] for one in found]

    async def audit(self) -> list[tuple[str, Any]]:
        """Audit events as action and details, in order.

        Not that of the first data key, which every world begins with.
        """
        async with self.own.database.autocommit() as tx:
            found = await tx.rows(
                "SELECT action, details FROM app.audit_events"
                " WHERE (action, details) <> ('data_key:made', '{\"key_generation\": 1}')"
                " ORDER BY occurred_at, event_id"
            )
        return [(one["action"], one["details"]) for one in found]


def _client() -> Client:
    return Client(
        client_id=CLIENT_ID,
        kind=RegistrationKind.DYNAMIC,
        client_name="Test client",
        redirect_uris=("http://127.0.0.1/callback",),
    )


def _worker(stack: AsyncExitStack, database_url: str, kms_key_id: str, site: DrupalSite) -> Worker:
    database = Database(database_url)
    stack.push_async_callback(database.close)
    vault = TokenVault(
        stage="local",
        kms=KmsDataKeys(kms_key_id, connect_timeout_seconds=1, read_timeout_seconds=5),
        keys=StoredDataKeys(database),
        cache_seconds=300,
        refusals=AuditedRefusals(database),
    )
    stack.callback(vault.forget_keys)
    oauth = DrupalOAuth(site)
    refresher = GrantRefresher(database, vault, oauth)
    return Worker(
        database=database,
        vault=vault,
        oauth=oauth,
        refresher=refresher,
        caller=UpstreamCaller(database, vault, refresher),
        drainer=OutboxDrainer(database, vault, oauth),
        discarded=DiscardedPairDrainer(database, vault, oauth),
    )


@asynccontextmanager
async def running_world(
    database_url: str, kms_key_id: str, *, dialect: int = 6
) -> AsyncIterator[UpstreamWorld]:
    """A world with an empty database."""
    async with running_fake_drupal(dialect) as drupal, AsyncExitStack() as stack:
        site = DrupalSite(
            base_url=drupal.url,
            client_id=drupal.client.client_id,
            client_secret=drupal.client.secret,
            scopes=drupal.scopes,
            redirect_uri=drupal.client.redirect_uris[0],
        )
        rpc = DrupalRpc(site)
        stack.push_async_callback(rpc.close)
        yield UpstreamWorld(
            drupal=drupal,
            site=site,
            database_url=database_url,
            kms_key_id=kms_key_id,
            content=DrupalContent(
                rpc, search_method="dme_mcp.search_content", read_method="tutorial.get"
            ),
            own=_worker(stack, database_url, kms_key_id, site),
            stack=stack,
        )
