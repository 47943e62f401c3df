"""Tries both doors of a release before people reach them.

What fails because the Drupal site is away does not stop a release: it may be the one that helps.
"""

import time
from dataclasses import dataclass
from typing import Final

from shared.checks.canary_session import NoSessionError, SecretsManagerSession
from shared.checks.catalogue import CHECKS, CanaryAccount, CheckName, Deployment
from shared.checks.doors import Doors
from shared.checks.runner import Finding, run_checks
from shared.errors.base import UnavailableError
from shared.observability.logging import log

CHECK_SECONDS_MAX: Final = 25.0
NOT_DECISIVE: Final = frozenset({CheckName.SITE_CALL})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCheck:
    """What a release is tried with; without a secret only what strangers can see is tried."""

    doors: Doors
    issuer_url: str
    mcp_url: str
    secret: SecretsManagerSession | None

    async def run(self) -> list[Finding]:
        """Every finding; the reasons of what failed are logged."""
        deployment = Deployment(
            self.doors, self.issuer_url, self.mcp_url, account=await self._account()
        )
        findings = await run_checks(deployment, CHECKS, seconds_max=CHECK_SECONDS_MAX)
        for finding in findings:
            if not finding.passed:
                log.error(
                    "release check failed",
                    check=finding.check.value,
                    outcome=finding.outcome.value,
                    reason=finding.reason,
                )
        return findings

    async def _account(self) -> CanaryAccount | None:
        """The canary's session as it is; refreshing it is the canary's own business."""
        if self.secret is None:
            return None
        try:
            return (await self.secret.load()).account(time.time())
        except (NoSessionError, UnavailableError) as error:
            log.warning("release checked without account", error_type=type(error).__name__)
            return None


def may_go_on(findings: list[Finding]) -> bool:
    """Whether the release may have traffic."""
    return all(finding.passed or finding.check in NOT_DECISIVE for finding in findings)
