"""A world with one site and one signed-in member, whom nobody refuses for calling often."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import make_conninfo

from scripts.benchmarks.refresh.people import CLIENT
from scripts.benchmarks.refresh.world import World
from scripts.fake_drupal.accounts import MEMBER
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from scripts.local_stack.addresses import free_port
from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import (
    GrantId,
    SessionId,
    UpstreamSubject,
    UserId,
    new_id,
)
from shared.domain.scopes import SCOPES_OFFERED
from shared.domain.tokens import PlainToken, TokenKind, hash_token, mint
from shared.state import clients, grants, sessions, users
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.state.roles import AppRole
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.pair_codec import encode_pair
from shared.vault.token_vault import TokenVault
from shared.workflows.sealed_pairs import pair_binding

DAY_SECONDS: Final = 86_400
IN_FLIGHT_MAX: Final = 100
"""One person calls for a whole crowd."""
# How often somebody may call is measured elsewhere: here it would hide everything else.
NO_RATES: Final = """
    CREATE OR REPLACE FUNCTION app.take_from_limit(
        key bytea, burst integer, seconds_each double precision
    ) RETURNS double precision LANGUAGE sql AS 'SELECT 0::double precision'
"""
_LIVE: Final = "SELECT count(*) FROM app.grants WHERE status = 'active'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What an endpoint needs around it."""

    conninfo: str
    """The owner's."""
    kms_key_id: str
    site: RunningFakeDrupal
    mcp_url: str
    access_token: PlainToken = field(repr=False)

    @property
    def port(self) -> int:
        """Where the endpoint is said to listen."""
        return urlsplit(self.mcp_url).port or 0

    @property
    def host(self) -> str:
        """What the endpoint wants to be called."""
        return urlsplit(self.mcp_url).netloc

    def variables(self) -> dict[str, str]:
        """The function's environment variables."""
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        return aws | {
            "STAGE": "local",
            "LOG_LEVEL": "ERROR",
            "ISSUER_URL": "http://localhost:8701",
            "MCP_URL": self.mcp_url,
            "DATABASE_URL": make_conninfo(self.conninfo, user=AppRole.MCP_ENDPOINT.value),
            "KMS_KEY_ID": self.kms_key_id,
            "DRUPAL_BASE_URL": self.site.url,
            "DRUPAL_CLIENT_ID": self.site.client.client_id,
            "DRUPAL_CLIENT_SECRET": self.site.client.secret or "",
            "DRUPAL_SCOPES": " ".join(self.site.scopes),
            "CALLS_IN_FLIGHT_MAX": str(IN_FLIGHT_MAX),
        }

    def live_grants(self) -> int:
        """Grants that have not ended: one less is a person signed out."""
        with psycopg.connect(self.conninfo) as connection:
            row = connection.execute(_LIVE).fetchone()
        return 0 if row is None else int(row[0])


@asynccontextmanager
async def opened_premises(world: World) -> AsyncIterator[Premises]:
    """A site of its own, a fresh database, and a member in it."""
    conninfo = world.new_database()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(NO_RATES)
    async with running_fake_drupal() as site:
        # No refresh may fall into a measurement.
        site.site.behaviours.access_token_seconds = DAY_SECONDS
        mcp_url = f"http://127.0.0.1:{free_port('127.0.0.1')}/mcp"
        database = Database(conninfo)
        try:
            token = await _sign_in(database, world.kms_key_id, site, mcp_url)
        finally:
            await database.close()
        yield Premises(
            conninfo=conninfo,
            kms_key_id=world.kms_key_id,
            site=site,
            mcp_url=mcp_url,
            access_token=token,
        )


async def _sign_in(
    database: Database, kms_key_id: str, site: RunningFakeDrupal, resource: str
) -> PlainToken:
    """Store what a finished sign-in stores; our access token."""
    vault = TokenVault(
        stage="local",
        kms=KmsDataKeys(kms_key_id, connect_timeout_seconds=2, read_timeout_seconds=5),
        keys=StoredDataKeys(database),
        cache_seconds=60,
    )
    await vault.prepare()
    pair = _pair(site)
    grant_id, token = GrantId(new_id()), mint(TokenKind.ACCESS)
    async with database.transaction() as tx:
        await clients.add(tx, CLIENT, unused_seconds=DAY_SECONDS)
        user_id, salt = await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site=site.url,
            subject=pair.subject,
            salt=secrets.token_bytes(32),
        )
    binding = pair_binding(grant_id=grant_id, user_id=user_id, pair_generation=1)
    sealed = await vault.seal(encode_pair(pair), user_salt=salt, binding=binding)
    vault.forget_keys()
    async with database.transaction() as tx:
        await grants.create(
            tx,
            grant_id=grant_id,
            user_id=user_id,
            client_id=CLIENT.client_id,
            pair=sealed,
            life_seconds=pair.life_seconds,
            refresh_after_seconds=None,
        )
        await sessions.open(
            tx,
            session=sessions.NewSession(
                session_id=SessionId(new_id()),
                grant_id=grant_id,
                client_id=CLIENT.client_id,
                resource=resource,
                scopes=SCOPES_OFFERED,
            ),
            access_hash=hash_token(token),
            access_seconds=DAY_SECONDS,
            refresh_hash=hash_token(mint(TokenKind.REFRESH)),
            sliding_seconds=DAY_SECONDS,
            absolute_seconds=DAY_SECONDS,
        )
    return token


def _pair(site: RunningFakeDrupal) -> UpstreamPair:
    answer = site.issue_pair(MEMBER.name)
    return UpstreamPair(
        access_token=str(answer["access_token"]),
        refresh_token=str(answer["refresh_token"]),
        life_seconds=int(answer["expires_in"]),
        subject=UpstreamSubject(str(site.control.account(MEMBER.name).uid)),
    )
