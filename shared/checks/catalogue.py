"""The checks: what is asked, and what the answer has to be.

A check that passes proves something to somebody who is on call; its name is a metric dimension.
Reasons are constant texts: an answer's own words never get into one.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from shared.checks.doors import Answered, Door, Doors, Question
from shared.discovery.documents import AUTHORIZE_PATH
from shared.domain import pkce
from shared.domain.tokens import TokenKind, mint

PROTOCOL_VERSION: Final = "2025-11-25"
STATUS_TOOL: Final = "account_status"
SITE_TOOL: Final = "search_tutorials"
SITE_QUERIES: Final = (
    "introduction",
    "views",
    "theming",
    "modules",
    "migration",
    "caching",
    "security",
    "testing",
)
"""More than minutes for which search results may be served without asking the site."""
AGE_OF_KEPT: Final = "results_age_seconds"
"""In the structured content of a search that the site has not answered."""


class CheckName(StrEnum):
    """Every check."""

    RESOURCE_METADATA = "resource_metadata"
    SERVER_METADATA = "server_metadata"
    ENDPOINT_LIVES = "endpoint_lives"
    OAUTH_LIVES = "oauth_lives"
    UNKNOWN_BEARER_REFUSED = "unknown_bearer_refused"
    FORMER_BEARER_REFUSED = "former_bearer_refused"
    CONSENT_PAGE = "consent_page"
    TOOL_CALL = "tool_call"
    SITE_CALL = "site_call"
    SESSION_REFRESH = "session_refresh"
    """Of the canary only: it keeps a session, the others are given one."""


class CheckFailedError(Exception):
    """The answer is not what a working deployment gives; the text says what is wrong."""


class BearerAcceptedError(CheckFailedError):
    """A token that must not open anything did: the one failure that is a security incident."""


@dataclass(frozen=True, slots=True)
class CanaryAccount:
    """A session of an account that exists for checks, and the client it belongs to."""

    client_id: str
    redirect_uri: str
    access_token: str = field(repr=False)
    former_access_token: str | None = field(default=None, repr=False)
    """One whose life is over."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is checked: its public addresses, through which doors, and with which account."""

    doors: Doors
    issuer_url: str
    mcp_url: str
    account: CanaryAccount | None = None

    @property
    def mcp_path(self) -> str:
        """Where tools are called, below the door's origin."""
        return urlsplit(self.mcp_url).path

    async def ask(self, question: Question) -> Answered:
        """Ask a door.

        Raises:
            NoAnswerError: there was no answer.
        """
        return await self.doors.ask(question)


Check = Callable[[Deployment], Awaitable[None]]


def _require(right: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not right:
        raise CheckFailedError(what)


async def _resource_metadata(deployment: Deployment) -> None:
    path = f"/.well-known/oauth-protected-resource{deployment.mcp_path}"
    answer = await deployment.ask(Question(Door.MCP, path))
    document = answer.json()
    _require(answer.status == 200 and isinstance(document, dict), "no document")
    _require(document.get("resource") == deployment.mcp_url, "names another resource")
    servers = document.get("authorization_servers")
    _require(servers == [deployment.issuer_url], "names another authorization server")


async def _server_metadata(deployment: Deployment) -> None:
    path = f"/.well-known/oauth-authorization-server{urlsplit(deployment.issuer_url).path}"
    answer = await deployment.ask(Question(Door.OAUTH, path))
    document = answer.json()
    _require(answer.status == 200 and isinstance(document, dict), "no document")
    _require(document.get("issuer") == deployment.issuer_url, "names another issuer")
    methods = document.get("code_challenge_methods_supported")
    _require(methods == ["S256"], "does not require S256")


def _lives(door: Door) -> Check:
    async def check(deployment: Deployment) -> None:
        answer = await deployment.ask(Question(door, "/health/live"))
        _require(answer.status == 200, "does not answer 200")

    return check


async def _unknown_bearer_refused(deployment: Deployment) -> None:
    await _refused(deployment, mint(TokenKind.ACCESS))


async def _former_bearer_refused(deployment: Deployment) -> None:
    account = deployment.account
    if account is not None and account.former_access_token is not None:
        await _refused(deployment, account.former_access_token)


async def _refused(deployment: Deployment, token: str) -> None:
    answer = await deployment.ask(_call(deployment, STATUS_TOOL, {}, token))
    if answer.status < 300:
        raise BearerAcceptedError("a token that opens nothing was accepted")
    _require(answer.status == 401, "does not answer 401")
    challenge = answer.headers.get("x-mcp-challenge", "")
    _require("resource_metadata=" in challenge, "the challenge leads nowhere")


async def _consent_page(deployment: Deployment) -> None:
    account = deployment.account
    if account is None:
        return
    query = urlencode(
        {
            "response_type": "code",
            "client_id": account.client_id,
            "redirect_uri": account.redirect_uri,
            "state": secrets.token_urlsafe(16),
            "code_challenge": pkce.challenge_of(secrets.token_urlsafe(48)),
            "code_challenge_method": "S256",
            "resource": deployment.mcp_url,
        }
    )
    question = Question(Door.OAUTH, f"{AUTHORIZE_PATH}?{query}", headers={"accept": "text/html"})
    answer = await deployment.ask(question)
    _require(answer.status == 200, "does not answer 200")
    _require(b'name="consent"' in answer.body, "has no form")
    policy = answer.headers.get("content-security-policy", "")
    _require("frame-ancestors 'none'" in policy, "may be framed")


async def _tool_call(deployment: Deployment) -> None:
    if deployment.account is not None:
        await _succeeds(deployment, STATUS_TOOL, {}, deployment.account.access_token)


async def _site_call(deployment: Deployment) -> None:
    if deployment.account is not None:
        # Another one each minute: what is kept for a while must not answer in the site's place.
        query = SITE_QUERIES[int(time.time() // 60) % len(SITE_QUERIES)]
        arguments = {"query": query, "limit": 1}
        result = await _succeeds(deployment, SITE_TOOL, arguments, deployment.account.access_token)
        content = result.get("structuredContent") or {}
        _require(content.get(AGE_OF_KEPT) is None, "is answered with results that were kept")


async def _succeeds(
    deployment: Deployment, tool: str, arguments: dict[str, Any], token: str
) -> dict[str, Any]:
    answer = await deployment.ask(_call(deployment, tool, arguments, token))
    _require(answer.status == 200, "does not answer 200")
    message = answer.json()
    result = message.get("result") if isinstance(message, dict) else None
    _require(isinstance(result, dict), "is not answered with a result")
    found: dict[str, Any] = result or {}
    _require(not found.get("isError", False), "is answered with a tool error")
    return found


def _call(deployment: Deployment, tool: str, arguments: dict[str, Any], token: str) -> Question:
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }
    headers = {
        "authorization": f"Bearer {token}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": PROTOCOL_VERSION,
    }
    return Question(Door.MCP, deployment.mcp_path, "POST", headers, json.dumps(message))


CHECKS: Final[dict[CheckName, Check]] = {
    CheckName.RESOURCE_METADATA: _resource_metadata,
    CheckName.SERVER_METADATA: _server_metadata,
    CheckName.ENDPOINT_LIVES: _lives(Door.MCP),
    CheckName.OAUTH_LIVES: _lives(Door.OAUTH),
    CheckName.UNKNOWN_BEARER_REFUSED: _unknown_bearer_refused,
    CheckName.FORMER_BEARER_REFUSED: _former_bearer_refused,
    CheckName.CONSENT_PAGE: _consent_page,
    CheckName.TOOL_CALL: _tool_call,
    CheckName.SITE_CALL: _site_call,
}
"""In the order in which they run: what others rest on comes first."""
