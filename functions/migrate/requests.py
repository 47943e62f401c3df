"""What this function can be asked: by CloudFormation during a deployment, or by an operator.

Anything else is refused before the database is touched.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Step(StrEnum):
    """The two halves of a release's change of the database."""

    EXPAND = "expand"
    """Before the new code gets traffic: migrations, and the rights it needs in addition."""
    CONTRACT = "contract"
    """After it has all traffic: the rights that only the code before it needed are taken back."""


class OperatorRequest(BaseModel):
    """``{"step": "expand"}``, as an operator or a restore drill sends it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step


class _StepProperties(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    step: Step = Field(alias="Step")


class DeploymentRequest(BaseModel):
    """An event of a CloudFormation custom resource; https://docs.aws.amazon.com (crpg-ref)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    response_url: str = Field(alias="ResponseURL", repr=False)
    stack_id: str = Field(alias="StackId")
    request_id: str = Field(alias="RequestId")
    logical_resource_id: str = Field(alias="LogicalResourceId")
    properties: _StepProperties = Field(alias="ResourceProperties")

    @property
    def step(self) -> Step:
        """The half that this resource stands for."""
        return self.properties.step


Request = Annotated[DeploymentRequest | OperatorRequest, Field(union_mode="left_to_right")]
_REQUEST: TypeAdapter[DeploymentRequest | OperatorRequest] = TypeAdapter(Request)


def read_request(event: Mapping[str, Any]) -> DeploymentRequest | OperatorRequest:
    """What ``event`` asks.

    Raises:
        pydantic.ValidationError: it asks nothing that this function does.
    """
    return _REQUEST.validate_python(event)
