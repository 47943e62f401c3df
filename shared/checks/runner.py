"""Runs the checks one after the other, each within its time, and says how each ended.

One that fails never keeps the next from running: an operator wants to know all that is wrong.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.checks.catalogue import (
    CHECKS,
    BearerAcceptedError,
    CheckFailedError,
    CheckName,
    Deployment,
)
from shared.checks.doors import NoAnswerError

CHECK_SECONDS_MAX: Final = 10.0
"""For one check; a cold start and a slow site fit in."""


class CheckOutcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    BYPASSED = "bypassed"
    """A token that opens nothing was let in."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check; ``reason`` is empty where it passed."""

    check: CheckName
    outcome: CheckOutcome
    milliseconds: float
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether the deployment answered as it should."""
        return self.outcome is CheckOutcome.PASSED


async def run_checks(
    deployment: Deployment,
    checks: Iterable[CheckName] = tuple(CHECKS),
    *,
    seconds_max: float = CHECK_SECONDS_MAX,
) -> list[Finding]:
    """Every finding, in the order of ``checks``; those that need an account pass without one."""
    return [await _run(deployment, check, seconds_max) for check in checks]


async def _run(deployment: Deployment, check: CheckName, seconds_max: float) -> Finding:
    began = time.perf_counter()
    outcome, reason = CheckOutcome.PASSED, ""
    try:
        async with asyncio.timeout(seconds_max):
            await CHECKS[check](deployment)
    except BearerAcceptedError as error:
        outcome, reason = CheckOutcome.BYPASSED, str(error)
    except CheckFailedError as error:
        outcome, reason = CheckOutcome.FAILED, str(error)
    except (NoAnswerError, TimeoutError):
        outcome, reason = CheckOutcome.UNREACHABLE, "no answer in time"
    return Finding(check, outcome, (time.perf_counter() - began) * 1_000, reason)
