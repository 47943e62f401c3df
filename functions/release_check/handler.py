"""Composition root of the release check: settings, adapters, handler.

Whatever goes wrong before a verdict is a verdict: a version that cannot be tried gets no traffic.
"""

from typing import Any

from functions.release_check.composition import Parts, compose
from functions.release_check.deployment_hook import HookEvent
from functions.release_check.release_check import may_go_on
from shared import aws_service, stored_settings
from shared.lambda_stream import event_loop
from shared.observability.instrument import instrument
from shared.once_per_environment import OncePerEnvironment
from shared.settings import ObservabilitySettings, ReleaseCheckFunctionSettings
from shared.stored_settings import environment_with_stored


def _prepare() -> None:
    stored_settings.prepare()
    aws_service.prepare("secretsmanager", "lambda", "codedeploy")


_parts = OncePerEnvironment(
    lambda: compose(ReleaseCheckFunctionSettings.from_environment(environment_with_stored())),
    prepare=_prepare,
)


@instrument("release_check", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer a hook with each check's outcome, after CodeDeploy was told the verdict."""
    asked = HookEvent.model_validate(event)
    return event_loop.run(_verdict(_parts(), asked))


async def _verdict(parts: Parts, event: HookEvent) -> dict[str, Any]:
    passed, outcomes = False, dict[str, str]()
    try:
        findings = await parts.check.run()
        outcomes = {finding.check.value: finding.outcome.value for finding in findings}
        passed = may_go_on(findings)
    finally:
        await parts.hook.report(event, passed=passed)
    return {"passed": passed, "checks": outcomes}
