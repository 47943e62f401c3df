"""Plugs the release check together: versions as its doors, CodeDeploy as its listener."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from functions.release_check.deployment_hook import DeploymentHook
from functions.release_check.invoked_doors import InvokedDoors
from functions.release_check.release_check import ReleaseCheck
from shared.checks.canary_session import SecretsManagerSession
from shared.checks.doors import Door
from shared.settings import ReleaseCheckFunctionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a hook works with, and what must be forgotten after a restore."""

    check: ReleaseCheck
    hook: DeploymentHook
    doors: InvokedDoors

    def forget(self) -> None:
        """Drop connections and credentials."""
        self.hook.forget_client()
        self.doors.forget_client()
        if self.check.secret is not None:
            self.check.secret.forget_client()


def compose(settings: ReleaseCheckFunctionSettings) -> Parts:
    """Build it from ``settings``; opens no connection."""
    doors = InvokedDoors(
        versions={
            Door.MCP: settings.checked_mcp_version,
            Door.OAUTH: settings.checked_oauth_version,
        },
        hosts={
            Door.MCP: urlsplit(settings.mcp_url).netloc,
            Door.OAUTH: urlsplit(settings.issuer_url).netloc,
        },
    )
    secret = settings.canary_secret_id
    check = ReleaseCheck(
        doors=doors,
        issuer_url=settings.issuer_url,
        mcp_url=settings.mcp_url,
        secret=None if secret is None else SecretsManagerSession(secret),
    )
    return Parts(check=check, hook=DeploymentHook(), doors=doors)
