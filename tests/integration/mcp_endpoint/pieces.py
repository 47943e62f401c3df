"""The composed function over the fake site, Postgres and the key service, and signed-in people."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from psycopg.conninfo import make_conninfo

from functions.mcp_endpoint.composition import Parts, compose
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec
from shared.domain.clients import Client as RegisteredClient
from shared.domain.clients import RegistrationKind
from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import (
    ClientId,
    GrantId,
    SessionId,
    UpstreamSubject,
    UserId,
    new_id,
)
from shared.domain.scopes import SCOPES_OFFERED
from shared.domain.tokens import PlainToken, TokenKind, hash_token, mint
from shared.settings import McpEndpointFunctionSettings
from shared.state import clients, grants, sessions, users
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.state.roles import AppRole
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.pair_codec import encode_pair
from shared.vault.token_vault import TokenVault
from shared.workflows.sealed_pairs import pair_binding
from tests.support.serving import serving

FUNCTION = "mcp_endpoint"
SESSION_SECONDS = 10 * 86_400
CLIENT_NAME = "Integration client"


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A person's access token, and the grant behind it."""

    token: PlainToken
    grant_id: GrantId
    session_id: SessionId


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The function's address and everything around it."""

    url: str
    site: RunningFakeDrupal
    database: Database
    """The owner's view: the function has its own role."""
    kms_key_id: str
    parts: Parts | None = None
    """The function's, where it runs in this process."""
    emulator: Emulator | None = None
    """Where it runs, otherwise."""

    def forget(self) -> None:
        """The function goes on as another process would: it remembers nobody's tools."""
        assert self.parts is not None
        self.parts.site_catalogue.forget()

    async def renew(self, signed_in: SignedIn) -> SignedIn:
        """The person with a new access token of ours."""
        token = mint(TokenKind.ACCESS)
        async with self.database.transaction() as tx:
            await tx.execute(
                "INSERT INTO app.access_tokens (token_hash, session_id, expires_at)"
                " VALUES (%(token_hash)s, %(session_id)s, app.now() + interval '8 hours')",
                {"token_hash": hash_token(token), "session_id": signed_in.session_id},
            )
        return replace(signed_in, token=token)

    async def sign_in(
        self,
        name: str,
        *,
        resource: str | None = None,
        scopes: tuple[str, ...] = SCOPES_OFFERED,
    ) -> SignedIn:
        """A person with a fresh pair of the site; by default with every permission of ours."""
        vault = TokenVault(
            stage="local",
            kms=KmsDataKeys(self.kms_key_id, connect_timeout_seconds=2, read_timeout_seconds=5),
            keys=StoredDataKeys(self.database),
            cache_seconds=60,
        )
        await vault.prepare()
        answer = self.site.issue_pair(name)
        subject = UpstreamSubject(str(self.site.control.account(name).uid))
        pair = UpstreamPair(
            access_token=str(answer["access_token"]),
            refresh_token=str(answer["refresh_token"]),
            life_seconds=int(answer["expires_in"]),
            subject=subject,
        )
        signed_in = SignedIn(
            token=mint(TokenKind.ACCESS),
            grant_id=GrantId(new_id()),
            session_id=SessionId(new_id()),
        )
        await self._store(signed_in, vault, pair, resource=resource or self.url, scopes=scopes)
        vault.forget_keys()
        return signed_in

    async def _store(
        self,
        signed_in: SignedIn,
        vault: TokenVault,
        pair: UpstreamPair,
        *,
        resource: str,
        scopes: tuple[str, ...],
    ) -> None:
        async with self.database.transaction() as tx:
            client_id = ClientId(f"client-{secrets.token_hex(4)}")
            registered = RegisteredClient(
                client_id=client_id,
                kind=RegistrationKind.DYNAMIC,
                client_name=CLIENT_NAME,
                redirect_uris=("http://127.0.0.1/callback",),
            )
            await clients.add(tx, registered, unused_seconds=SESSION_SECONDS)
            user_id, salt = await users.ensure(
                tx,
                user_id=UserId(new_id()),
                site=self.site.url,
                subject=pair.subject,
                salt=secrets.token_bytes(32),
            )
        binding = pair_binding(grant_id=signed_in.grant_id, user_id=user_id, pair_generation=1)
        sealed = await vault.seal(encode_pair(pair), user_salt=salt, binding=binding)
        async with self.database.transaction() as tx:
            await grants.create(
                tx,
                grant_id=signed_in.grant_id,
                user_id=user_id,
                client_id=client_id,
                pair=sealed,
                life_seconds=pair.life_seconds,
                refresh_after_seconds=None,
            )
            await sessions.open(
                tx,
                session=sessions.NewSession(
                    session_id=signed_in.session_id,
                    grant_id=signed_in.grant_id,
                    client_id=client_id,
                    resource=resource,
                    scopes=scopes,
                ),
                access_hash=hash_token(signed_in.token),
                access_seconds=28_800,
                refresh_hash=hash_token(mint(TokenKind.REFRESH)),
                sliding_seconds=SESSION_SECONDS,
                absolute_seconds=SESSION_SECONDS,
            )

    @asynccontextmanager
    async def client(self, signed_in: SignedIn, *, mode: str = "auto") -> AsyncIterator[Client]:
        """The SDK's own client with that person's token."""
        headers = {"authorization": f"Bearer {signed_in.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
        ):
            yield client

    async def post(self, message: Mapping[str, object], token: str) -> httpx2.Response:
        """One message in the 2025-11-25 dialect."""
        headers = {"authorization": f"Bearer {token}", "mcp-protocol-version": "2025-11-25"}
        async with httpx2.AsyncClient(timeout=20) as http:
            return await http.post(self.url, json=dict(message), headers=headers)

    async def usage(self) -> list[tuple[str, str, str | None, int | None]]:
        """The usage rows: tool, outcome, content id, count."""
        if self.emulator is not None:
            # A row is written when its answer is out.
            await self.emulator.settled(FUNCTION)
        async with self.database.autocommit() as tx:
            rows = await tx.rows(
                "SELECT tool, outcome, content_id, result_count FROM app.usage_events"
                " ORDER BY event_id"
            )
        return [tuple(row.values()) for row in rows]


def environment_of(
    site: RunningFakeDrupal, *, url: str, database_url: str, kms_key_id: str
) -> dict[str, str]:
    """What the function is told."""
    return {
        "STAGE": "local",
        "ISSUER_URL": "http://localhost:8701",
        "MCP_URL": url,
        "DATABASE_URL": make_conninfo(database_url, user=AppRole.MCP_ENDPOINT.value),
        "KMS_KEY_ID": kms_key_id,
        "DRUPAL_BASE_URL": site.url,
        "DRUPAL_CLIENT_ID": site.client.client_id,
        "DRUPAL_CLIENT_SECRET": site.client.secret or "",
        "DRUPAL_SCOPES": " ".join(site.scopes),
    }


@asynccontextmanager
async def a_lambda_stack(
    database_url: str, kms_key_id: str, log_folder: Path
) -> AsyncIterator[Stack]:
    """The function behind an emulated streaming Function URL, in a process of its own."""
    database = Database(database_url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/mcp"
    async with running_fake_drupal(6) as site, Emulator(log_folder=log_folder) as emulator:
        environment = environment_of(
            site, url=url, database_url=database_url, kms_key_id=kms_key_id
        )
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        await emulator.start(
            FunctionSpec(
                name=FUNCTION,
                handler="functions.mcp_endpoint.handler.handler",
                environment={**environment, **aws},
                invoke_mode="RESPONSE_STREAM",
                port=port,
                environments_max=2,
            )
        )
        yield Stack(url=url, site=site, database=database, kms_key_id=kms_key_id, emulator=emulator)
    await database.close()


@asynccontextmanager
async def a_stack(
    database_url: str, kms_key_id: str, *, dialect: int = 6, **variables: str
) -> AsyncIterator[Stack]:
    """The composed function, served on loopback over real parts."""
    database = Database(database_url, connections_max=2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        async with running_fake_drupal(dialect) as site:
            environment = environment_of(
                site, url=url, database_url=database_url, kms_key_id=kms_key_id
            )
            environment |= {name.upper(): value for name, value in variables.items()}
            parts = compose(McpEndpointFunctionSettings.from_environment(environment))
            async with serving(parts.app, listener):
                yield Stack(
                    url=url, site=site, database=database, kms_key_id=kms_key_id, parts=parts
                )
            await parts.close()
            await database.close()
