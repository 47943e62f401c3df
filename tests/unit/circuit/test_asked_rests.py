"""`Retry-After` of a dependency: its circuit stays open for so long, within a cap."""

import pytest

from shared.circuit.guard import CircuitGuard
from shared.circuit.machine import Verdict
from shared.circuit.rules import ASKED_OPEN_SECONDS_MAX, OPEN_SECONDS_MAX
from shared.circuit.window import FAILURE, SUCCESS
from shared.domain.circuits import CircuitState, Dependency, FleetCircuit
from shared.upstream.failures import UpstreamMaintenanceError, UpstreamRateLimitedError
from tests.unit.circuit.pieces import RULES, Bench, Hands, opened

RPC = Dependency.DRUPAL_RPC


def asked_and_opened(seconds: float) -> Bench:
    bench = Bench()
    bench.asked(seconds)
    for _ in range(RULES.calls_min):
        bench.call(FAILURE)
    assert bench.state is CircuitState.OPEN
    return bench


def test_asking_opens_nothing() -> None:
    bench = Bench()
    bench.asked(30)
    assert bench.call(SUCCESS) is Verdict.CALL


@pytest.mark.parametrize("seconds", [30.0, ASKED_OPEN_SECONDS_MAX])
def test_a_circuit_that_opens_stays_open_for_the_rest_that_was_asked_for(seconds: float) -> None:
    bench = asked_and_opened(seconds)
    bench.later(seconds - 0.1)
    assert bench.ask().verdict is Verdict.REFUSED
    bench.later(0.1)
    assert bench.ask().verdict is Verdict.PROBE


def test_no_rest_is_longer_than_the_cap() -> None:
    bench = asked_and_opened(86_400)
    refused = bench.ask()
    assert refused.retry_after_seconds == ASKED_OPEN_SECONDS_MAX
    bench.later(ASKED_OPEN_SECONDS_MAX)
    assert bench.ask().verdict is Verdict.PROBE


def test_a_short_rest_does_not_shorten_the_circuit_s_own_time() -> None:
    bench = asked_and_opened(1)
    bench.later(1)
    assert bench.ask().verdict is Verdict.REFUSED


def test_an_open_circuit_is_stretched_by_an_answer_that_comes_late() -> None:
    bench = opened()
    bench.asked(20)
    bench.later(OPEN_SECONDS_MAX)
    assert bench.ask().verdict is Verdict.REFUSED


def test_a_probe_that_is_asked_to_wait_waits() -> None:
    bench = opened()
    bench.later(RULES.open_seconds)
    probe = bench.ask()
    bench.asked(45)
    bench.see(probe, FAILURE)
    bench.later(44)
    assert bench.ask().verdict is Verdict.REFUSED
    bench.later(1)
    assert bench.ask().verdict is Verdict.PROBE


def test_a_success_ends_the_rest() -> None:
    bench = opened()
    bench.later(RULES.open_seconds)
    bench.asked(45)
    bench.later(45)
    assert bench.call(SUCCESS) is Verdict.PROBE
    for _ in range(RULES.calls_min):
        bench.call(FAILURE)
    assert bench.state is CircuitState.OPEN
    bench.later(OPEN_SECONDS_MAX)
    assert bench.ask().verdict is Verdict.PROBE


def test_what_this_environment_was_asked_holds_beside_the_word_of_the_fleet() -> None:
    bench = Bench()
    bench.asked(40)
    bench.hear(FleetCircuit(state=CircuitState.OPEN, version=1, openings=1, open_for_seconds=5))
    bench.later(39)
    assert bench.ask().verdict is Verdict.REFUSED


@pytest.mark.parametrize("error", [UpstreamRateLimitedError, UpstreamMaintenanceError])
async def test_the_wait_of_a_refusal_is_the_one_that_the_site_asked_for(
    error: type[UpstreamRateLimitedError],
) -> None:
    guard = CircuitGuard(clock=Hands(), chance=lambda: 0.5)
    while guard.standing(RPC).state is CircuitState.CLOSED:
        with pytest.raises(error):
            async with guard.watch(RPC):
                raise error(retry_after_seconds=33)

    assert guard.standing(RPC).retry_after_seconds == 33
