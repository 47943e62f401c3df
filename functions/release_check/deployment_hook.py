"""What CodeDeploy asks before it moves traffic, and how it is answered."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from shared.aws_service import AwsService, CallLimits
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode

REPORT_LIMITS: Final = CallLimits(
    connect_timeout_seconds=2.0, read_timeout_seconds=5.0, deadline_seconds=15.0
)


class HookEvent(BaseModel):
    """The event of a lifecycle hook."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deployment_id: str = Field(alias="DeploymentId", min_length=1)
    execution_id: str = Field(alias="LifecycleEventHookExecutionId", min_length=1)


class DeploymentNotToldError(UnavailableError):
    """CodeDeploy did not take the verdict; it stops the deployment after an hour by itself."""

    code = ErrorCode.INTERNAL_ERROR


class DeploymentHook:
    """Tells CodeDeploy to go on, or to leave the traffic where it is."""

    def __init__(self) -> None:
        self._service = AwsService("codedeploy", limits=REPORT_LIMITS, error=DeploymentNotToldError)

    async def report(self, event: HookEvent, *, passed: bool) -> None:
        """Tell the verdict.

        Raises:
            DeploymentNotToldError: it was not taken.
        """
        await self._service.call(
            lambda client: client.put_lifecycle_event_hook_execution_status(
                deploymentId=event.deployment_id,
                lifecycleEventHookExecutionId=event.execution_id,
                status="Succeeded" if passed else "Failed",
            )
        )

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._service.forget_client()
