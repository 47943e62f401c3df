"""The tool calls that are measured, as a client sends them, and what counts as an answer.

Never goes on with an error: a refused call is quick and says nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scripts.lambda_emulator.http_connection import RequestHead
from scripts.lambda_emulator.url_events import Caller, request_event

KEYWORDS: Final = "views"
RESULTS: Final = 3
_MODERN: Final = "2026-07-28"
_LEGACY: Final = "2025-11-25"
_CLIENT: Final = {"name": "bench", "version": "1"}


class AnswerError(Exception):
    """What came back is not the answer that was to be measured."""


@dataclass(frozen=True, kw_only=True)
class ToolRequest:
    """One ``tools/call``."""

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    streams: bool = False
    """As a client of 2025-11-25 that wants progress: answered as server-sent events. Otherwise in
    the 2026-07-28 revision, answered as JSON."""

    def headers(self, access_token: str, host: str) -> dict[str, str]:
        """The HTTP headers, in lower case."""
        return {
            "host": host,
            "authorization": f"Bearer {access_token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": _LEGACY if self.streams else _MODERN,
            **({} if self.streams else {"mcp-method": "tools/call", "mcp-name": self.tool}),
        }

    def body(self) -> bytes:
        """The JSON-RPC message."""
        meta: dict[str, object] = {"progressToken": "bench"}
        if not self.streams:
            prefix = "io.modelcontextprotocol/"
            meta = {
                f"{prefix}protocolVersion": _MODERN,
                f"{prefix}clientInfo": _CLIENT,
                f"{prefix}clientCapabilities": {},
            }
        params = {"name": self.tool, "arguments": dict(self.arguments), "_meta": meta}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return json.dumps(message).encode()

    def event(self, access_token: str, host: str) -> dict[str, Any]:
        """The event that a Function URL makes of it."""
        headers = [
            (name.encode(), value.encode())
            for name, value in self.headers(access_token, host).items()
        ]
        return request_event(
            RequestHead("POST", "/mcp", headers), self.body(), Caller("127.0.0.1", "127.0.0.1", 0)
        )

    def check(self, status: int, content_type: str, body: bytes) -> None:
        """Whether this is the tool's result, in the form that was asked for.

        Raises:
            AnswerError: it is not.
        """
        text = body.decode()
        is_stream = content_type.startswith("text/event-stream")
        if status != 200 or is_stream != self.streams:
            raise AnswerError(f"{self.tool}: {status} {content_type} {text[:300]}")
        if is_stream:
            data = [line[5:] for line in text.splitlines() if line.startswith("data:")]
            text = next((line for line in data if '"result"' in line), "null")
        message = json.loads(text)
        if not message or "result" not in message or message["result"].get("isError"):
            raise AnswerError(f"{self.tool}: {text[:300]}")


SEARCH: Final = ToolRequest(
    tool="search_tutorials", arguments={"query": KEYWORDS, "limit": RESULTS}
)
SEARCH_STREAMED: Final = ToolRequest(
    tool="search_tutorials", arguments={"query": KEYWORDS, "limit": RESULTS}, streams=True
)
