"""One round of the canary: the session, the checks, and what is counted of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from functions.canary.session_keeper import SessionKeeper
from shared.checks.canary_session import NoSessionError
from shared.checks.catalogue import CanaryAccount, CheckFailedError, CheckName, Deployment
from shared.checks.doors import Doors, NoAnswerError
from shared.checks.runner import CheckOutcome, Finding, run_checks
from shared.errors.base import UnavailableError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName


class RoundOutcome(StrEnum):
    """What a round says of the whole."""

    PASSED = "passed"
    WITHOUT_SITE = "passed_without_site"
    """We answer; the Drupal site does not."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRound:
    """Everything that a round needs; without a keeper only what strangers can see is checked."""

    doors: Doors
    issuer_url: str
    mcp_url: str
    keeper: SessionKeeper | None

    async def run(self) -> dict[str, str]:
        """Run it; each check's outcome by its name."""
        session_finding, account = await self._account()
        deployment = Deployment(self.doors, self.issuer_url, self.mcp_url, account)
        findings = [*session_finding, *await run_checks(deployment)]
        _count(findings)
        return {finding.check.value: finding.outcome.value for finding in findings}

    async def _account(self) -> tuple[list[Finding], CanaryAccount | None]:
        if self.keeper is None:
            return [], None
        try:
            session = await self.keeper.load()
        except (NoSessionError, UnavailableError) as error:
            log.error("the canary has no session", error_type=type(error).__name__)
            return [_session(CheckOutcome.FAILED, "no session")], None
        if not self.keeper.is_due(session):
            return [], self.keeper.account(session)
        finding = _session(CheckOutcome.PASSED, "")
        try:
            session = await self.keeper.refresh(session)
        except CheckFailedError as error:
            finding = _session(CheckOutcome.FAILED, str(error))
        except (NoAnswerError, UnavailableError):
            finding = _session(CheckOutcome.UNREACHABLE, "not refreshed")
        return [finding], self.keeper.account(session)


def _session(outcome: CheckOutcome, reason: str) -> Finding:
    return Finding(CheckName.SESSION_REFRESH, outcome, 0.0, reason)


def outcome_of(findings: Sequence[Finding]) -> RoundOutcome:
    """What the round says: the site's own failures are told apart from ours."""
    failed = {finding.check for finding in findings if not finding.passed}
    if not failed:
        return RoundOutcome.PASSED
    return RoundOutcome.WITHOUT_SITE if failed == {CheckName.SITE_CALL} else RoundOutcome.FAILED


def _count(findings: Sequence[Finding]) -> None:
    for finding in findings:
        check, outcome = finding.check.value, finding.outcome.value
        metrics.count(MetricName.CANARY_CHECKS, check=check, outcome=outcome)
        metrics.duration(MetricName.CANARY_DURATION, finding.milliseconds, check=check)
        if not finding.passed:
            log.error(
                "canary check failed",
                check=check,
                outcome=outcome,
                reason=finding.reason,
            )
    metrics.count(MetricName.SCHEDULED_RUNS)
    metrics.count(MetricName.CANARY_ROUNDS, outcome=outcome_of(findings).value)
    bypassed = sum(finding.outcome is CheckOutcome.BYPASSED for finding in findings)
    # Every minute, so that its alarm has data: nothing counted is not the same as zero.
    metrics.count(MetricName.AUTHORIZATION_BYPASSES, bypassed)
