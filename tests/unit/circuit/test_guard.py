import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from shared.circuit.guard import CircuitGuard
from shared.circuit.refusals import CircuitOpenError
from shared.circuit.rules import RULES, CircuitRules
from shared.domain.circuits import CircuitState, Dependency
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.state.database import DatabaseUnavailableError
from shared.upstream import failures
from shared.vault.kms_data_keys import KeyServiceUnavailableError, KeyUnusableError
from tests.unit.circuit.pieces import Hands

RPC = Dependency.DRUPAL_RPC
SEARCH = Dependency.DRUPAL_SEARCH
SLOW_SECONDS = 0.01
QUICK = {
    dependency: replace(rules, slow_call_seconds=SLOW_SECONDS, slow_window_seconds=SLOW_SECONDS)
    for dependency, rules in RULES.items()
}


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def guard(hands: Hands) -> CircuitGuard:
    return CircuitGuard(clock=hands, chance=lambda: 0.5)


async def call(
    guard: CircuitGuard,
    error: BaseException | None,
    dependency: Dependency = RPC,
    *,
    timeout_seconds: float | None = None,
    slow_counts: bool = True,
) -> None:
    async with guard.watch(dependency, timeout_seconds=timeout_seconds, slow_counts=slow_counts):
        if error is not None:
            raise error


async def fail(
    guard: CircuitGuard,
    error: ServiceError,
    dependency: Dependency = RPC,
    *,
    timeout_seconds: float | None = None,
    slow_counts: bool = True,
) -> None:
    for _ in range(RULES[dependency].calls_min):
        with pytest.raises(type(error)):
            await call(
                guard,
                error,
                dependency,
                timeout_seconds=timeout_seconds,
                slow_counts=slow_counts,
            )


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nothing tells of it but the circuit itself
        await asyncio.sleep(0)


async def hang(guard: CircuitGuard, end: Callable[[], Awaitable[object]]) -> None:
    async with guard.watch(RPC):
        await end()


@pytest.mark.parametrize(
    "error",
    [
        failures.UpstreamUnavailableError(),
        failures.UpstreamUnavailableError(sent=False),
        failures.UpstreamTimeoutError(),
        failures.UpstreamMaintenanceError(),
        failures.UpstreamAnswerInvalidError(),
        failures.UpstreamRateLimitedError(),
    ],
)
async def test_faults_of_the_site_open_its_circuit(
    guard: CircuitGuard, error: ServiceError
) -> None:
    await fail(guard, error)
    assert guard.standing(RPC).state is CircuitState.OPEN


@pytest.mark.parametrize(
    "error",
    [
        failures.UpstreamTokenRejectedError(),
        failures.ArgumentsRejectedError(),
        failures.ContentNotFoundError(),
        failures.AccessForbiddenError(),
        failures.InsufficientUpstreamScopeError(("member",)),
        failures.UpstreamMisconfiguredError(),
        failures.SearchUnavailableError(),
        failures.RefreshRejectedError(),
        KeyError("a fault of ours"),
    ],
)
async def test_answers_and_faults_of_ours_open_nothing(
    guard: CircuitGuard, error: Exception
) -> None:
    for _ in range(50):
        with pytest.raises(type(error)):
            await call(guard, error)
    assert guard.standing(RPC).state is CircuitState.CLOSED


@pytest.mark.parametrize(
    ("dependency", "error", "state"),
    [
        (Dependency.KMS, KeyServiceUnavailableError(), CircuitState.OPEN),
        (Dependency.KMS, KeyUnusableError(), CircuitState.CLOSED),
        (Dependency.POSTGRES, DatabaseUnavailableError(), CircuitState.OPEN),
        (SEARCH, failures.SearchUnavailableError(), CircuitState.OPEN),
        (SEARCH, failures.UpstreamTimeoutError(), CircuitState.OPEN),
        (SEARCH, failures.UpstreamUnavailableError(), CircuitState.CLOSED),
    ],
)
async def test_each_dependency_has_its_own_faults(
    guard: CircuitGuard, dependency: Dependency, error: ServiceError, state: CircuitState
) -> None:
    await fail(guard, error, dependency)
    assert guard.standing(dependency).state is state
    others = {guard.standing(other).state for other in set(Dependency) - {dependency}}
    assert others == {CircuitState.CLOSED}


@pytest.mark.parametrize(
    ("dependency", "code"),
    [
        (RPC, ErrorCode.UPSTREAM_UNAVAILABLE),
        (SEARCH, ErrorCode.SEARCH_UNAVAILABLE),
        (Dependency.POSTGRES, ErrorCode.DATABASE_UNAVAILABLE),
        (Dependency.KMS, ErrorCode.KEY_SERVICE_UNAVAILABLE),
    ],
)
async def test_a_refusal_speaks_of_its_dependency_and_says_when_to_come_back(
    guard: CircuitGuard, dependency: Dependency, code: ErrorCode
) -> None:
    faults = {
        RPC: failures.UpstreamUnavailableError(),
        SEARCH: failures.SearchUnavailableError(),
        Dependency.POSTGRES: DatabaseUnavailableError(),
        Dependency.KMS: KeyServiceUnavailableError(),
    }
    await fail(guard, faults[dependency], dependency)
    entered = False
    with pytest.raises(CircuitOpenError) as refused:
        async with guard.watch(dependency):
            entered = True
    assert not entered
    assert refused.value.code is code
    assert refused.value.retry_after_seconds == round(RULES[dependency].open_seconds)
    assert refused.value.facts == {"circuit": dependency.value, "circuit_state": "open"}


async def test_work_that_would_end_in_a_refusal_can_be_spared(guard: CircuitGuard) -> None:
    guard.refuse_if_open(RPC)
    await fail(guard, failures.UpstreamUnavailableError())
    with pytest.raises(CircuitOpenError):
        guard.refuse_if_open(RPC)


async def test_a_probe_that_is_due_is_not_spared(guard: CircuitGuard, hands: Hands) -> None:
    await fail(guard, failures.UpstreamUnavailableError())
    hands.seconds += 5
    guard.refuse_if_open(RPC)
    await call(guard, None)
    assert guard.standing(RPC).state is CircuitState.CLOSED


async def test_calls_that_wait_too_long_open_while_they_wait_and_are_counted_once() -> None:
    guard = CircuitGuard(rules=QUICK)
    end = asyncio.Event()
    calls = [asyncio.create_task(hang(guard, end.wait)) for _ in range(5)]
    await until(lambda: guard.standing(RPC).state is CircuitState.OPEN)
    assert not any(task.done() for task in calls)
    end.set()
    await asyncio.gather(*calls)
    assert guard.standing(RPC).state is CircuitState.OPEN


async def test_slow_calls_that_may_be_anothers_fault_open_nothing() -> None:
    guard = CircuitGuard(rules=QUICK)
    await fail(guard, failures.UpstreamTimeoutError(), slow_counts=False)
    assert guard.standing(RPC).state is CircuitState.CLOSED


async def test_a_timeout_after_less_time_than_the_site_may_take_is_ours(
    guard: CircuitGuard,
) -> None:
    await fail(guard, failures.UpstreamTimeoutError(), timeout_seconds=1.0)
    assert guard.standing(RPC).state is CircuitState.CLOSED
    await fail(guard, failures.UpstreamTimeoutError(), timeout_seconds=8.0)
    assert guard.standing(RPC).state is CircuitState.OPEN


async def test_of_twenty_callers_at_the_end_of_the_open_time_one_goes_out(
    guard: CircuitGuard, hands: Hands
) -> None:
    await fail(guard, failures.UpstreamUnavailableError())
    hands.seconds += 5
    end = asyncio.Event()
    calls = [asyncio.create_task(hang(guard, end.wait)) for _ in range(20)]
    await until(lambda: sum(task.done() for task in calls) == 19)
    end.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, CircuitOpenError) for result in results) == 19


async def test_a_probe_whose_caller_leaves_makes_room_for_another(
    guard: CircuitGuard, hands: Hands
) -> None:
    await fail(guard, failures.UpstreamUnavailableError())
    hands.seconds += 5
    leaving = asyncio.create_task(hang(guard, asyncio.Event().wait))
    await until(lambda: guard.standing(RPC).state is CircuitState.HALF_OPEN)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await call(guard, None)
    assert guard.standing(RPC).state is CircuitState.CLOSED


async def test_a_probe_refused_by_another_circuit_says_nothing(
    guard: CircuitGuard, hands: Hands
) -> None:
    await fail(guard, failures.UpstreamUnavailableError())
    hands.seconds += 5
    await fail(guard, failures.SearchUnavailableError(), SEARCH)
    with pytest.raises(CircuitOpenError):
        async with guard.watch(RPC), guard.watch(SEARCH):
            pass
    assert not guard.standing(RPC).refuses


async def test_changes_are_told_once_and_tries_for_the_probe_are_none(
    guard: CircuitGuard, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    await fail(guard, failures.UpstreamUnavailableError())
    hands.seconds += 5
    leaving = asyncio.create_task(hang(guard, asyncio.Event().wait))
    await until(lambda: guard.standing(RPC).state is CircuitState.HALF_OPEN)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await call(guard, None)
    records = [one for one in caplog.records if one.message == "circuit changed"]
    told = [vars(one)["circuit_state"] for one in records]
    assert told == ["open", "closed"]


async def test_a_circuit_keeps_no_more_than_its_window(guard: CircuitGuard, hands: Hands) -> None:
    for _ in range(500):
        hands.seconds += 1
        await call(guard, None)
    buckets = guard._breakers[RPC].circuit.window.buckets
    assert len(buckets) <= RULES[RPC].failure_window_seconds


def test_rules_for_tests_are_rules() -> None:
    assert all(isinstance(rules, CircuitRules) for rules in QUICK.values())
