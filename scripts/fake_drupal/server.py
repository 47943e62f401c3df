"""Serving a site on a socket, with uvicorn's protocol but without its server loop.

Starts and stops at once; never leaves a connection or a task behind.
"""

import asyncio
import socket

from uvicorn import Config
from uvicorn.server import ServerState

from scripts.fake_drupal.app import FakeDrupalApp
from scripts.fake_drupal.site import Site
from scripts.fake_drupal.wire import ExposingProtocol

BACKLOG = 128


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one."""
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol; with it on,
    # every answer waits 40 ms for the client's delayed acknowledgement.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    bound.listen(BACKLOG)
    return bound


class SiteServer:
    """One site on one socket."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._state = ServerState()
        self._config = Config(FakeDrupalApp(site), lifespan="off", log_config=None)
        self._server: asyncio.Server | None = None

    async def start(self, bound: socket.socket) -> None:
        """Answer at that socket."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=bound)

    def _protocol(self) -> ExposingProtocol:
        return ExposingProtocol(self._config, self._state, {})

    async def stop(self) -> None:
        """Hang up on everybody and wait until the last request is gone."""
        self._site.faults.clear()
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
