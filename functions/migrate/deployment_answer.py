"""Tells CloudFormation how a step ended; without it a deployment waits for its timeout.

The address is a signed one: whoever has it can answer in our name, so it is never logged.
"""

import json
from dataclasses import dataclass
from typing import Final

import httpx2

from functions.migrate.requests import DeploymentRequest

ANSWER_SECONDS_MAX: Final = 10.0
ATTEMPTS_MAX: Final = 3
REASON_CHARACTERS_MAX: Final = 1_000
"""CloudFormation takes 4,096 bytes for the whole answer."""
PHYSICAL_ID: Final = "drupalize-mcp-database"
"""Always the same: an update must never look like a replacement, which would delete."""


class AnswerNotDeliveredError(Exception):
    """CloudFormation could not be told; the deployment fails at its timeout."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended: what was applied, or why it failed in words for an operator."""

    applied: tuple[str, ...] = ()
    failure: str | None = None


def deliver(request: DeploymentRequest, outcome: Outcome) -> None:
    """Send the answer; any of a few attempts will do.

    Raises:
        AnswerNotDeliveredError: none got through.
    """
    body = _body(request, outcome)
    for _ in range(ATTEMPTS_MAX):
        if _sent(request.response_url, body):
            return
    raise AnswerNotDeliveredError


def _sent(url: str, body: bytes) -> bool:
    try:
        # No content type: the address is signed for a request without one.
        return httpx2.put(url, content=body, timeout=ANSWER_SECONDS_MAX).is_success
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return False


def _body(request: DeploymentRequest, outcome: Outcome) -> bytes:
    failed = outcome.failure is not None
    answer = {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": (outcome.failure or "")[:REASON_CHARACTERS_MAX],
        "PhysicalResourceId": PHYSICAL_ID,
        "StackId": request.stack_id,
        "RequestId": request.request_id,
        "LogicalResourceId": request.logical_resource_id,
        "Data": {"Applied": str(len(outcome.applied))},
    }
    return json.dumps(answer).encode()
