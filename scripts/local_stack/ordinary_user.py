"""Root as an ordinary user, for servers that refuse to run as root."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Final

_UNPRIVILEGED_ID: Final = 65534


class OrdinaryUser:
    """Who a server is to run as; nothing changes where this process is an ordinary user's.

    In a user namespace the files stay root's own; without one, a child of another user id needs
    folders that this user can reach.
    """

    def __init__(self) -> None:
        self.prefix: list[str] = []
        """What stands before the server's command."""
        self.user_id: int | None = None
        """The user id to start the command with."""
        if os.geteuid() != 0:
            return
        wanted = f"--map-user={_UNPRIVILEGED_ID}", f"--map-group={_UNPRIVILEGED_ID}"
        prefix = ["unshare", "--user", *wanted, "--"]
        with contextlib.suppress(OSError):
            if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0:
                self.prefix = prefix
                return
        self.user_id = _UNPRIVILEGED_ID

    def own(self, path: Path) -> Path:
        """Hand a file or folder to the user."""
        if self.user_id is not None:
            os.chown(path, self.user_id, self.user_id)
        return path
