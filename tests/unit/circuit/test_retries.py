from collections.abc import Awaitable, Callable

import pytest

from shared.circuit.refusals import CircuitOpenError
from shared.circuit.retries import Retries
from shared.circuit.retry_budget import TOKENS_MAX, Access
from shared.domain.circuits import CircuitState, Dependency
from shared.errors.base import ServiceError
from shared.observability.request_context import begin_request
from shared.upstream import failures


class Site:
    """Fails as often as told, then answers."""

    def __init__(self, *errors: ServiceError) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def ask(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "an answer"


def away(**how: int) -> ServiceError:
    return failures.UpstreamUnavailableError(retry_after_seconds=how.get("retry_after_seconds"))


@pytest.fixture
def retries() -> Retries:
    return Retries(chance=lambda: 0.0)


async def test_a_read_that_fails_once_is_answered_the_second_time(retries: Retries) -> None:
    site = Site(away())
    assert await retries.run(site.ask, access=Access.READ) == "an answer"
    assert site.asked == 2


@pytest.mark.parametrize(
    "error",
    [
        failures.UpstreamTimeoutError(),
        failures.UpstreamMaintenanceError(),
        failures.SearchUnavailableError(),
        failures.ContentNotFoundError(),
        failures.UpstreamTokenRejectedError(),
        failures.UpstreamRateLimitedError(),
    ],
)
async def test_what_another_try_would_not_change_is_not_tried_again(
    retries: Retries, error: ServiceError
) -> None:
    site = Site(error)
    with pytest.raises(type(error)):
        await retries.run(site.ask, access=Access.READ)
    assert site.asked == 1


async def test_a_refusal_of_a_circuit_is_not_tried_again(retries: Retries) -> None:
    refusal = CircuitOpenError(Dependency.DRUPAL_RPC, CircuitState.OPEN, retry_after_seconds=5)
    translated = away()
    translated.__cause__ = refusal
    for error in (refusal, translated):
        site = Site(error)
        with pytest.raises(ServiceError):
            await retries.run(site.ask, access=Access.READ)
        assert site.asked == 1


async def test_a_wait_that_the_deadline_cannot_hold_is_not_begun(retries: Retries) -> None:
    site = Site(away(retry_after_seconds=30))
    with begin_request(function="test", remaining_seconds=10), pytest.raises(ServiceError):
        await retries.run(site.ask, access=Access.READ)
    assert site.asked == 1


async def test_a_write_is_sent_once(retries: Retries) -> None:
    site = Site(away())
    with pytest.raises(failures.UpstreamUnavailableError):
        await retries.run(site.ask, access=Access.WRITE)
    assert site.asked == 1


async def test_an_outage_uses_the_budget_up_and_then_costs_one_try_a_call(
    retries: Retries,
) -> None:
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        raise away()

    await _many(retries, ask, times=100)
    assert asked == 100 + TOKENS_MAX


async def _many(retries: Retries, ask: Callable[[], Awaitable[str]], *, times: int) -> None:
    for _ in range(times):
        with pytest.raises(failures.UpstreamUnavailableError):
            await retries.run(ask, access=Access.READ)
