"""The doors as clients reach them: over HTTPS, by their public addresses."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import httpx2

from shared.checks.doors import Answered, Door, NoAnswerError, Question

CONNECT_SECONDS_MAX: Final = 3.0
ANSWER_SECONDS_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 1_000_000
USER_AGENT: Final = "drupalize-mcp-check"


class HttpsDoors:
    """Carries questions over the network; a connection of its own for each, as a stranger has."""

    def __init__(self, *, issuer_url: str, mcp_url: str) -> None:
        self._origins: Mapping[Door, str] = {
            Door.OAUTH: _origin(issuer_url),
            Door.MCP: _origin(mcp_url),
        }

    async def ask(self, question: Question) -> Answered:
        """Ask over HTTPS; redirects are not followed.

        Raises:
            NoAnswerError: no connection, no HTTP, too slow, or too much.
        """
        url = f"{self._origins[question.door]}{question.path}"
        limits = httpx2.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
        headers = {"user-agent": USER_AGENT, **question.headers}
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS_MAX),
                httpx2.AsyncClient(timeout=limits, trust_env=False) as http,
                http.stream(
                    question.method, url, headers=headers, content=question.body or None
                ) as answer,
            ):
                return Answered(answer.status_code, dict(answer.headers), await _body(answer))
        except (httpx2.HTTPError, TimeoutError) as error:
            raise NoAnswerError(type(error).__name__) from None


async def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise NoAnswerError("the answer is too large")
    return bytes(body)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
