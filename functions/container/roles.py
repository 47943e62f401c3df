"""What a container can be."""

from enum import StrEnum
from pathlib import Path
from tempfile import gettempdir
from typing import Final

PORT_DEFAULT: Final = 8000
LAST_TICK: Final = Path(gettempdir()) / "last_tick"
"""Touched by a schedule's process after each tick that came to an end."""


class Role(StrEnum):
    """One of the functions, as a process."""

    MCP_ENDPOINT = "mcp_endpoint"
    OAUTH = "oauth"
    TOKEN_REFRESH = "token_refresh"  # noqa: S105 - names a role
    CLEANUP = "cleanup"
    MIGRATE = "migrate"
    """Ends when the database is ready for this release."""
