"""What a refusal must not do: repeat what was sent, in the answer, its headers or the log."""

from urllib.parse import unquote_plus

import httpx2
import pytest
from starlette.types import ASGIApp, Message

from tests.support.redirect_abuse import CANARY


def assert_nothing_echoed(answer: httpx2.Response, log: pytest.LogCaptureFixture) -> None:
    """No trace of the canary in ``answer``, nor in what the function logged."""
    told = [answer.text, *(f"{name}: {value}" for name, value in answer.headers.items())]
    told += [str(vars(record)) for record in log.records if record.name.startswith("drupalize_mcp")]
    for text in told:
        assert CANARY not in unquote_plus(text), text
    log.clear()


def assert_stays_on_a_page(answer: httpx2.Response) -> None:
    """The person is told by a page that leads nowhere else."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "location" not in answer.headers
    assert "refresh" not in answer.headers
    assert "http-equiv" not in answer.text


async def get_raw(app: ASGIApp, path: str, query: bytes) -> httpx2.Response:
    """GET with a query as it is, of any length and any bytes: clients of HTTP refuse to send it."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"auth.example")],
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return httpx2.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)
