"""An ASGI app with one path per behaviour, behind Powertools decorators."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from shared.lambda_stream.asgi import StreamingAsgiHandler
from tests.support.lambda_functions.plain import wait_on_pipes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = Logger(service="streams")
metrics = Metrics(namespace="tests", service="streams")


async def _begin(send: Send, first: bytes, status: int = 200, **headers: str) -> None:
    raw = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await _more(send, first)


async def _more(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


async def _first_then_wait(scope: Message, _receive: Receive, send: Send) -> None:
    await _begin(send, b"first")
    await _more(send, b"")
    await asyncio.to_thread(wait_on_pipes, scope["query_string"].decode().removeprefix("pipes="))
    await _more(send, b"second")
    await _end(send)


async def _large(_scope: Message, receive: Receive, send: Send) -> None:
    size = len((await receive())["body"])
    await _begin(send, b"", x_received=str(size))
    for number in range(20):
        await _more(send, bytes([number]) * 1024 * 1024)
    await _end(send)


async def _endless(_scope: Message, _receive: Receive, send: Send) -> None:
    await _begin(send, b"")
    while True:
        await _more(send, b"x" * 65_536)


async def _fail(_scope: Message, _receive: Receive, send: Send) -> None:
    await _begin(send, b"")
    raise ValueError("before any byte")


async def _fail_late(_scope: Message, _receive: Receive, send: Send) -> None:
    await _begin(send, b"part")
    raise ValueError("after the first byte")


async def _return_early(_scope: Message, _receive: Receive, send: Send) -> None:
    await _begin(send, b"part")


async def _exit_late(_scope: Message, _receive: Receive, send: Send) -> None:
    await _begin(send, b"part")
    os._exit(3)


async def _empty(scope: Message, _receive: Receive, send: Send) -> None:
    await _begin(send, b"", status=int(scope["query_string"]), content_length="0")
    await _end(send)


async def _cookies(scope: Message, _receive: Receive, send: Send) -> None:
    raw = [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"transfer-encoding", b"chunked"),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": raw})
    await _more(send, dict(scope["headers"]).get(b"cookie", b"none"))
    await _end(send)


async def _binary(_scope: Message, receive: Receive, send: Send) -> None:
    await _begin(send, (await receive())["body"][::-1])
    await _end(send)


async def _hang(_scope: Message, _receive: Receive, _send: Send) -> None:
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        sys.stdout.write("the app was cancelled\n")


async def _hang_late(scope: Message, receive: Receive, send: Send) -> None:
    await _begin(send, b"part")
    await _hang(scope, receive, send)


async def _stray(scope: Message, _receive: Receive, send: Send) -> None:
    names = [task.get_name() for task in asyncio.all_tasks()]
    left = asyncio.get_running_loop().create_task(asyncio.sleep(3600), name="stray")
    entered = scope["state"]["entered"]
    text = f"{os.getpid()} entered={entered} left={left.get_name()} before={'stray' in names}"
    await _begin(send, text.encode())
    await _end(send)


async def _lifespan(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    scope["state"]["entered"] = scope["state"].get("entered", 0) + 1
    await send({"type": "lifespan.startup.complete"})
    await receive()


_PATHS = {
    "/first-then-wait": _first_then_wait,
    "/large": _large,
    "/endless": _endless,
    "/fail": _fail,
    "/fail-late": _fail_late,
    "/return-early": _return_early,
    "/exit-late": _exit_late,
    "/empty": _empty,
    "/cookies": _cookies,
    "/binary": _binary,
    "/hang": _hang,
    "/hang-late": _hang_late,
    "/stray": _stray,
}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Behave as the path says."""
    behave = _lifespan if scope["type"] == "lifespan" else _PATHS[scope["path"]]
    await behave(scope, receive, send)


_serve = StreamingAsgiHandler(app, deadline_margin_seconds=1.2)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Serve the app."""
    metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)
    return _serve(event, context)


async def _refuse(_scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no"})


cannot_start = StreamingAsgiHandler(_refuse)
