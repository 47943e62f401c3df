"""Where the parts of a stack listen: loopback only, the same after a restart.

Cookies know no ports, so the parts that set cookies have hosts of their own. A port must never be
taken from a program that already has it.
"""

import asyncio
import errno
import socket
import sys
from dataclasses import dataclass
from typing import Final

from scripts.local_stack.data_folder import DataFolder
from scripts.local_stack.options import Front

_PORTS_FILE: Final = "ports.json"
_DEFAULT_PORTS: Final = {"oauth": 8711, "mcp": 8712, "drupal": 8713, "edge": 8714, "dev": 8715}
_WAIT_FOR_PREDECESSOR_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            return False
        return True


def free_port(host: str) -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


def _second_loopback() -> str:
    """Another loopback address, so that the site's cookies stay apart; Linux has many."""
    return "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"


@dataclass(frozen=True)
class Addresses:
    """Ports of a stack."""

    oauth_port: int
    mcp_port: int
    drupal_port: int
    aws_port: int
    drupal_host: str
    edge_port: int
    dev_port: int
    front: Front = "urls"
    moved: tuple[str, ...] = ()
    """Parts that could not have the port they had before."""

    @property
    def issuer_url(self) -> str:
        """The authorization server."""
        return self.edge_origin if self.front == "edge" else self.oauth_origin

    @property
    def mcp_url(self) -> str:
        """The MCP endpoint."""
        return f"{self.edge_origin if self.front == 'edge' else self.mcp_origin}/mcp"

    @property
    def oauth_origin(self) -> str:
        """The Function URL of the authorization server."""
        return f"http://localhost:{self.oauth_port}"

    @property
    def mcp_origin(self) -> str:
        """The Function URL of the MCP endpoint."""
        return f"http://127.0.0.1:{self.mcp_port}"

    @property
    def edge_origin(self) -> str:
        """The one host before both."""
        return f"http://localhost:{self.edge_port}"

    @property
    def dev_url(self) -> str:
        """The page that shows what the stack does."""
        return f"http://127.0.0.1:{self.dev_port}/_dev"

    @property
    def drupal_url(self) -> str:
        """The fake site."""
        return f"http://{self.drupal_host}:{self.drupal_port}"

    @property
    def aws_url(self) -> str:
        """Moto."""
        return f"http://127.0.0.1:{self.aws_port}"


async def choose(folder: DataFolder, *, fixed: bool, front: Front) -> Addresses:
    """The kept ports, else the default ones, else free ones; what was chosen is kept.

    A stack that was killed a moment ago may still be going: its ports are waited for.
    """
    kept = folder.read(_PORTS_FILE)
    hosts = {
        "oauth": "127.0.0.1",
        "mcp": "127.0.0.1",
        "drupal": _second_loopback(),
        "edge": "127.0.0.1",
        "dev": "127.0.0.1",
    }
    ports: dict[str, int] = {}
    moved: list[str] = []
    for part, host in hosts.items():
        wanted = kept.get(part) or (_DEFAULT_PORTS[part] if fixed else 0)
        if wanted and await _becomes_free(host, wanted, patient=part in kept):
            ports[part] = wanted
        else:
            ports[part] = free_port(host)
            moved += [part] if part in kept else []
    folder.write(_PORTS_FILE, ports)
    return Addresses(
        oauth_port=ports["oauth"],
        mcp_port=ports["mcp"],
        drupal_port=ports["drupal"],
        aws_port=free_port("127.0.0.1"),
        drupal_host=hosts["drupal"],
        edge_port=ports["edge"],
        dev_port=ports["dev"],
        front=front,
        moved=tuple(moved),
    )


async def _becomes_free(host: str, port: int, *, patient: bool) -> bool:
    waits = int(_WAIT_FOR_PREDECESSOR_SECONDS / _POLL_SECONDS) if patient else 0
    for _ in range(waits):
        if port_is_free(host, port):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return port_is_free(host, port)
