"""The function as the runtime calls it, an empty database, and a CloudFormation that listens."""

import importlib
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from shared.observability.logging import log
from shared.state.roles import AppRole

SIGNATURE = "X-Amz-Signature=f00dfacecafe"
PASSWORD = "a made-up password"
POLL_SECONDS = 0.01
"""How soon a server notices that it is to end."""
STEPS = {"expand": "DatabaseExpanded", "contract": "DatabaseContracted"}


class Context:
    """What is used of the runtime's context object."""

    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


@dataclass
class CloudFormation:
    """Takes the answers of custom resources, as the bucket behind the signed address does."""

    url: str = ""
    refusals_left: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)

    def request(self, kind: str, step: str = "expand") -> dict[str, Any]:
        """The event of a custom resource whose answer is expected here."""
        event = {
            "RequestType": kind,
            "ServiceToken": "arn:aws:lambda:eu-central-1:1:function:migrate:live",
            "ResponseURL": self.url,
            "StackId": "arn:aws:cloudformation:eu-central-1:1:stack/s/1",
            "RequestId": f"{kind}-{step}",
            "LogicalResourceId": STEPS[step],
            "ResourceType": "Custom::DatabaseStep",
            "ResourceProperties": {"Step": step, "CodeVersion": "1"},
        }
        return event if kind == "Create" else {**event, "PhysicalResourceId": "drupalize-mcp"}


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    listening = CloudFormation()

    class Taker(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = 200
            if listening.refusals_left:
                listening.refusals_left, status = listening.refusals_left - 1, 503
            else:
                listening.answers.append(json.loads(body))
                listening.content_types.append(self.headers["content-type"])
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        listening.url = f"http://127.0.0.1:{server.server_port}/answer?{SIGNATURE}"
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        yield listening
        server.shutdown()
        thread.join()


@dataclass
class Migrations:
    """The function with its settings; each role of it connects with a password."""

    environment: pytest.MonkeyPatch
    owner_url: str

    def use(self, owner_url: str, *, without: str = "", user: str | None = None) -> None:
        """Point it at a database; ``without`` leaves a key out, ``user`` gives one to all roles."""
        urls = {"migrate": owner_url} | {
            role.value.removeprefix("app_"): psycopg.conninfo.make_conninfo(
                self.owner_url, user=user or role.value, password=PASSWORD
            )
            for role in AppRole
        }
        urls.pop(without, None)
        self.environment.setenv("DATABASE_URLS", json.dumps(urls))

    def __call__(self, event: dict[str, Any]) -> Any:
        """Invoke it."""
        return importlib.import_module("functions.migrate.handler").handler(event, Context())


@pytest.fixture
def migrations(monkeypatch: pytest.MonkeyPatch, empty_database: str) -> Iterator[Migrations]:
    monkeypatch.setenv("STAGE", "local")
    root, own = logging.getLogger(), log._logger
    handlers, level = list(root.handlers), root.level
    function = Migrations(monkeypatch, empty_database)
    function.use(empty_database)
    yield function
    root.handlers[:] = handlers
    root.setLevel(level)
    log.use(own)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for role in AppRole:
            connection.execute(f"ALTER ROLE {role.value} PASSWORD NULL")
