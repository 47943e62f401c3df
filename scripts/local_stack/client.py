"""A scripted MCP client: the SDK's own client and OAuth provider, with a person at hand.

It must never reach into the stack: it knows the MCP address and nothing else.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from scripts.local_stack.browser import without_query

# A loopback address that nothing listens on: the scripted browser stops before going there.
REDIRECT_URI: Final = "http://127.0.0.1:33418/callback"
MODES: Final = ("auto", "legacy", "2026-07-28")
_TIMEOUT_SECONDS: Final = 60.0


class Human(Protocol):
    """Whoever signs in: a scripted person, or somebody in front of a real browser."""

    async def sign_in(self, authorization_url: str, redirect_uri: str) -> str:
        """Take the authorization address to its end; the address at the client that it led to."""


class SignInError(Exception):
    """The authorization server sent the client away with an OAuth error."""


@dataclass
class ClientMemory:
    """What a client keeps between runs: its registration and its tokens."""

    tokens: OAuthToken | None = field(default=None, repr=False)
    registration: OAuthClientInformationFull | None = field(default=None, repr=False)
    sign_ins: int = 0

    async def get_tokens(self) -> OAuthToken | None:
        """The tokens, if any."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep new tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The registration, if any."""
        return self.registration

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep a registration."""
        self.registration = client_info


def _provider(
    mcp_url: str, person: Human, memory: ClientMemory, document_url: str | None
) -> OAuthClientProvider:
    arrived: list[str] = []

    async def redirect(authorization_url: str) -> None:
        memory.sign_ins += 1
        arrived.append(await person.sign_in(authorization_url, REDIRECT_URI))

    async def callback() -> AuthorizationCodeResult:
        answer = {
            name: values[0] for name, values in parse_qs(urlsplit(arrived.pop()).query).items()
        }
        if "code" not in answer:
            raise SignInError(f"{answer.get('error')}: {answer.get('error_description')}")
        return AuthorizationCodeResult(
            code=answer["code"], state=answer.get("state"), iss=answer.get("iss")
        )

    return OAuthClientProvider(
        server_url=mcp_url,
        client_metadata=OAuthClientMetadata(
            client_name="Scripted client",
            redirect_uris=[AnyUrl(REDIRECT_URI)],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",  # noqa: S106 - the OAuth word for a public client
        ),
        storage=memory,
        redirect_handler=redirect,
        callback_handler=callback,
        client_metadata_url=document_url,
    )


OnAnswer = Callable[[str, str, int], None]
"""Told of every HTTP answer: method, address without query, status."""


def _watcher(on_answer: OnAnswer | None) -> Callable[[httpx2.Response], Awaitable[None]]:
    async def watch(answer: httpx2.Response) -> None:
        if on_answer is not None:
            request = answer.request
            on_answer(request.method, without_query(str(request.url)), answer.status_code)

    return watch


@contextlib.asynccontextmanager
async def connected_client(
    mcp_url: str,
    person: Human,
    memory: ClientMemory,
    *,
    mode: str = "auto",
    on_answer: OnAnswer | None = None,
    document_url: str | None = None,
    opens: ElicitationFnT | None = None,
) -> AsyncIterator[Client]:
    """The SDK's client, connected; it signs `person` in when the server asks for it.

    With a `document_url` it is the client that is described there, and does not register. One that
    `opens` links declares that it can (URL elicitation).
    """
    provider = _provider(mcp_url, person, memory, document_url)
    async with (
        httpx2.AsyncClient(
            auth=provider,
            timeout=_TIMEOUT_SECONDS,
            event_hooks={"response": [_watcher(on_answer)]},
        ) as http,
        Client(
            streamable_http_client(mcp_url, http_client=http), mode=mode, elicitation_callback=opens
        ) as client,
    ):
        yield client
