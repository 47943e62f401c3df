"""How circuits stand: a gauge of each that is open, and a word of debug mode."""

from collections.abc import Iterator

import pytest

from shared.circuit.breaker import KNOWN_SECONDS
from shared.circuit.guard import CircuitGuard
from shared.circuit.rules import OPEN_SECONDS_MAX, RAMP_SECONDS, RULES
from shared.domain.circuits import Dependency
from shared.errors.base import ServiceError
from shared.observability import circuit_states, debug_answers, metrics
from shared.upstream.failures import UpstreamUnavailableError
from tests.unit.circuit.pieces import Hands
from tests.unit.observability.conftest import Lines

RPC = Dependency.DRUPAL_RPC


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def guard(hands: Hands) -> Iterator[CircuitGuard]:
    guard = CircuitGuard(clock=hands, chance=lambda: 0.5)
    circuit_states.told_by(guard.standings)
    yield guard
    circuit_states.told_by(None)


async def fail(guard: CircuitGuard) -> None:
    for _ in range(RULES[RPC].calls_min):
        with pytest.raises(ServiceError):
            async with guard.watch(RPC):
                raise UpstreamUnavailableError


async def succeed(guard: CircuitGuard) -> None:
    async with guard.watch(RPC):
        pass


def sampled(lines: Lines) -> dict[str, float]:
    """The gauge of one invocation, by dependency."""
    circuit_states.measure()
    metrics.flush()
    return {
        line["dependency"]: line["CircuitOpenTime"][-1]
        for line in lines()
        if "CircuitOpenTime" in line
    }


async def test_a_circuit_that_is_open_tells_since_when(
    guard: CircuitGuard, hands: Hands, lines: Lines
) -> None:
    await fail(guard)
    hands.seconds += 4

    assert sampled(lines) == {"drupal_rpc": 4.0}


async def test_relapses_belong_to_one_outage_and_the_end_of_the_ramp_ends_it(
    guard: CircuitGuard, hands: Hands, lines: Lines
) -> None:
    await fail(guard)
    hands.seconds += OPEN_SECONDS_MAX
    await succeed(guard)
    hands.seconds += RAMP_SECONDS * 0.9
    await fail(guard)
    relapsed = sampled(lines)
    hands.seconds += OPEN_SECONDS_MAX
    await succeed(guard)
    hands.seconds += RAMP_SECONDS
    await succeed(guard)

    assert relapsed == {"drupal_rpc": pytest.approx(OPEN_SECONDS_MAX + RAMP_SECONDS * 0.9)}
    assert sampled(lines) == {}


async def test_what_nobody_has_heard_of_lately_is_not_called_open(
    guard: CircuitGuard, hands: Hands, lines: Lines
) -> None:
    await fail(guard)
    hands.seconds += KNOWN_SECONDS + 1

    assert sampled(lines) == {}


def test_without_a_guard_there_is_nothing_to_tell(lines: Lines) -> None:
    circuit_states.told_by(None)

    assert sampled(lines) == {}
    assert circuit_states.as_facts() == {}


async def test_a_debug_answer_tells_how_every_circuit_stands(
    guard: CircuitGuard, hands: Hands
) -> None:
    await fail(guard)
    hands.seconds += 1
    debug_answers.configure(enabled=True)
    try:
        told = debug_answers.debug_of(UpstreamUnavailableError())["debug"]
    finally:
        debug_answers.configure(enabled=False)
    quiet = debug_answers.debug_of(UpstreamUnavailableError())

    assert isinstance(told, dict)
    assert set(told["circuits"]) == {one.value for one in Dependency}
    assert told["circuits"]["drupal_rpc"] == {
        "circuit_state": "open",
        "open_seconds": 1.0,
        "retry_after_seconds": 4.0,
    }
    assert told["circuits"]["kms"]["circuit_state"] == "closed"
    assert quiet == {}
