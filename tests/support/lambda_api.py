"""The APIs of Lambda and CodeDeploy in front of a running stack, as far as a release needs them."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from scripts.lambda_emulator.invocation import FunctionError
from scripts.local_stack.stack import Stack

POLL_SECONDS = 0.01
INVOKE_SECONDS_MAX = 60.0
INVOCATIONS = "/2015-03-31/functions/"


@dataclass
class LambdaApi:
    """Where it listens, and what CodeDeploy was told."""

    url: str = ""
    stack: Stack | None = None
    raising: set[str] = field(default_factory=set)
    """Functions whose new version raises, whatever it is asked."""
    verdicts: list[dict[str, str]] = field(default_factory=list)
    invoked: list[str] = field(default_factory=list)

    async def invoke(self, function: str, event: Any) -> tuple[bytes, bool]:
        """The bytes with which an invocation ended, and whether it raised."""
        self.invoked.append(function)
        assert self.stack is not None
        if function in self.raising:
            return b'{"errorType": "ImportError"}', True
        try:
            answer = await self.stack.emulator.invoke(function, event)
        except FunctionError as error:
            return json.dumps({"errorType": error.error_type}).encode(), True
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode(), False


@asynccontextmanager
async def running_lambda_api() -> AsyncIterator[LambdaApi]:
    """Both APIs on one port of this machine; functions are those of the stack it is given."""
    api, loop = LambdaApi(), asyncio.get_running_loop()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path.startswith(INVOCATIONS):
                function = self.path.removeprefix(INVOCATIONS).partition("/")[0]
                running = asyncio.run_coroutine_threadsafe(api.invoke(function, body), loop)
                answer, raised = running.result(INVOKE_SECONDS_MAX)
            else:
                api.verdicts.append(body)
                answer, raised = b"{}", False
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            if raised:
                self.send_header("x-amz-function-error", "Unhandled")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        try:
            yield api
        finally:
            await asyncio.to_thread(server.shutdown)
            thread.join()
