"""A client of plain HTTP requests: shows every answer as it comes, and does nothing by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyUrl

from scripts.local_stack.client import REDIRECT_URI, ClientMemory
from scripts.local_stack.person import Person
from shared.domain import pkce

VERIFIER = "v" * 64
WAIT_SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Endpoints:
    """Where the authorization server takes what."""

    issuer: str
    register: str
    authorize: str
    token: str
    revoke: str

    @classmethod
    def at_root(cls, origin: str) -> Self:
        """Those that a client assumes which reads no metadata."""
        return cls(
            issuer=origin,
            **{name: f"{origin}/{name}" for name in ("register", "authorize", "token", "revoke")},
        )

    @classmethod
    async def of_metadata(cls, http: httpx2.AsyncClient, origin: str) -> Self:
        """Those that the document at this host names (RFC 8414)."""
        answer = await http.get(f"{origin}/.well-known/oauth-authorization-server")
        found = answer.raise_for_status().json()
        return cls(
            issuer=found["issuer"],
            register=found["registration_endpoint"],
            authorize=found["authorization_endpoint"],
            token=found["token_endpoint"],
            revoke=found["revocation_endpoint"],
        )


@dataclass(frozen=True)
class PlainClient:
    """One registered client."""

    http: httpx2.AsyncClient
    endpoints: Endpoints
    client_id: str

    async def sign_in(
        self, person: Person, *, scope: str | None = None, state: str = "plain"
    ) -> dict[str, Any]:
        """The members of the token answer after a whole sign-in."""
        code = await self.code(person, scope=scope, state=state)
        members: dict[str, Any] = (await self.redeem(code)).raise_for_status().json()
        return members

    async def code(self, person: Person, *, scope: str | None = None, state: str = "plain") -> str:
        """The code that a sign-in ends with."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": pkce.challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "state": state,
        }
        if scope is not None:
            asked["scope"] = scope
        address = f"{self.endpoints.authorize}?{urlencode(asked)}"
        answered = parse_qs(urlsplit(await person.sign_in(address, REDIRECT_URI)).query)
        assert answered["state"] == [state]
        return answered["code"][0]

    async def redeem(self, code: str, **proof: str) -> httpx2.Response:
        """Ask for the tokens of a code."""
        return await self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=REDIRECT_URI,
            code_verifier=VERIFIER,
            **proof,
        )

    async def token(self, **parameters: str) -> httpx2.Response:
        """Ask the token endpoint."""
        return await self.http.post(
            self.endpoints.token, data={"client_id": self.client_id, **parameters}
        )

    async def refresh(self, tokens: dict[str, Any]) -> httpx2.Response:
        """Use a refresh token."""
        return await self.token(
            grant_type="refresh_token", refresh_token=str(tokens["refresh_token"])
        )

    async def revoke(self, token: str) -> httpx2.Response:
        """Revoke a token (RFC 7009)."""
        return await self.http.post(
            self.endpoints.revoke, data={"client_id": self.client_id, "token": token}
        )

    def as_memory(self, tokens: dict[str, Any]) -> ClientMemory:
        """What the SDK's client would remember had it done this."""
        registration = OAuthClientInformationFull(
            client_id=self.client_id,
            redirect_uris=[AnyUrl(REDIRECT_URI)],
            token_endpoint_auth_method="none",
            issuer=self.endpoints.issuer,
        )
        return ClientMemory(tokens=OAuthToken.model_validate(tokens), registration=registration)


async def call_tool(
    http: httpx2.AsyncClient, mcp_url: str, token: str, name: str, **arguments: str
) -> httpx2.Response:
    """The answer to one ``tools/call``."""
    return await http.post(
        mcp_url,
        headers={
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
        },
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": name, "arguments": arguments},
        },
    )


@asynccontextmanager
async def plain_http() -> AsyncIterator[httpx2.AsyncClient]:
    """Requests that wait long enough for a busy machine."""
    async with httpx2.AsyncClient(follow_redirects=True, timeout=WAIT_SECONDS_MAX) as http:
        yield http


async def registered(
    http: httpx2.AsyncClient, endpoints: Endpoints, name: str = "Plain client"
) -> PlainClient:
    """A client that has registered (RFC 7591)."""
    answer = await http.post(
        endpoints.register, json={"client_name": name, "redirect_uris": [REDIRECT_URI]}
    )
    return PlainClient(http, endpoints, answer.raise_for_status().json()["client_id"])
