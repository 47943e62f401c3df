"""A gate in front of the played KMS: throttles, is away, and keeps to the state of a key.

The played one opens data keys under a disabled key too; here such a request is answered as AWS
answers it. It must never pass anything on to another address than the one it was made for.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

import boto3

from tests.support.aws import REGION

_TARGET: Final = b"x-amz-target: trentservice."
_CHECKED: Final = frozenset({"Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"})


class Weather(StrEnum):
    """How KMS does."""

    FAIR = "fair"
    THROTTLED = "throttled"
    AWAY = "away"


@dataclass
class KmsGate:
    """The gate's address, what came through it, and the weather that a test chooses."""

    target: str
    url: str = ""
    weather: Weather = Weather.FAIR
    asked: Counter[str] = field(default_factory=Counter)
    disabled: set[str] = field(default_factory=set)

    def disable(self, key_id: str) -> None:
        """Disable a key as an operator does."""
        self._change("disable_key", key_id)

    def enable(self, key_id: str) -> None:
        """Enable it again."""
        self._change("enable_key", key_id)

    def _change(self, operation: str, key_id: str) -> None:
        client: Any = boto3.client("kms", endpoint_url=self.target, region_name=REGION)
        try:
            getattr(client, operation)(KeyId=key_id)
            described = client.describe_key(KeyId=key_id)["KeyMetadata"]
        finally:
            client.close()
        change = self.disabled.discard if described["Enabled"] else self.disabled.add
        for name in (described["KeyId"], described["Arn"]):
            change(name)

    def answer(self, operation: str, body: bytes) -> bytes | None:
        """What the gate answers itself; None to let KMS answer."""
        if self.weather is Weather.THROTTLED:
            return _error("ThrottlingException")
        if operation in _CHECKED and json.loads(body)["KeyId"] in self.disabled:
            return _error("DisabledException")
        return None


def _error(code: str) -> bytes:
    body = json.dumps({"__type": code, "message": "canary of a message"}).encode()
    head = (
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.1\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head, await reader.readexactly(length)


def _operation(head: bytes) -> str:
    at = head.lower().find(_TARGET)
    return head[at + len(_TARGET) :].split(b"\r\n")[0].decode() if at >= 0 else ""


async def _pass_on(gate: KmsGate, message: bytes) -> bytes:
    address = urlsplit(gate.target)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(message)
        return b"".join(await _message(reader))
    finally:
        writer.close()


async def _serve(gate: KmsGate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head, body = await _message(reader)
            operation = _operation(head)
            gate.asked[operation] += 1
            if gate.weather is Weather.AWAY:
                break
            answer = gate.answer(operation, body)
            writer.write(answer or await _pass_on(gate, head + body))
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the client has left
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def kms_gate(target: str) -> AsyncIterator[KmsGate]:
    """A gate on a free loopback port; ends with the block, whoever is still connected."""
    gate = KmsGate(target)
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(_serve(gate, reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield gate
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
