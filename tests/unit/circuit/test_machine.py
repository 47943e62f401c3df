import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.circuit import machine
from shared.circuit.machine import Verdict
from shared.circuit.rules import OPEN_SECONDS_MAX, RAMP_SECONDS, RULES
from shared.circuit.window import FAILED_AFTER_ALL, FAILURE, SUCCESS, WAITS_TOO_LONG, Counts
from shared.domain.circuits import CircuitState, Dependency, FleetCircuit
from tests.unit.circuit.pieces import RULES as TEST_RULES
from tests.unit.circuit.pieces import Bench, opened, recovering


def test_too_few_calls_say_nothing() -> None:
    bench = Bench()
    for _ in range(TEST_RULES.calls_min - 1):
        bench.call(FAILURE)
    assert bench.state is CircuitState.CLOSED


def test_half_of_the_calls_failing_opens_although_never_two_in_a_row_fail() -> None:
    bench = Bench()
    for counts in (SUCCESS, FAILURE, SUCCESS, FAILURE):
        bench.call(counts)
    assert bench.state is CircuitState.OPEN


def test_three_of_four_failing_opens_although_never_five_in_a_row_fail() -> None:
    bench = Bench()
    outcomes = [FAILURE, FAILURE, FAILURE, SUCCESS] * 5
    assert bench.state is CircuitState.CLOSED
    assert Verdict.REFUSED in [bench.call(counts) for counts in outcomes]


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_rare_errors_never_open(share: float) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable
    bench = Bench(circuit=machine.new_circuit(RULES[Dependency.DRUPAL_RPC]))
    for _ in range(60_000):  # ten minutes of a hundred calls a second
        bench.later(0.01)
        assert bench.call(FAILURE if chance.random() < share else SUCCESS) is Verdict.CALL


def test_calls_that_wait_too_long_open_before_they_end() -> None:
    bench = Bench()
    tickets = [bench.ask() for _ in range(4)]
    bench.later(TEST_RULES.slow_call_seconds)
    for ticket in tickets:
        bench.see(ticket, WAITS_TOO_LONG)
    assert bench.state is CircuitState.OPEN


def test_a_hang_is_seen_at_the_slow_limit_however_many_good_answers_came_before() -> None:
    bench = Bench()
    for _ in range(5_000):
        bench.later(0.002)
        bench.call(SUCCESS)
    tickets = [bench.ask() for _ in range(17)]
    bench.later(TEST_RULES.slow_call_seconds)
    for ticket in tickets:
        bench.see(ticket, WAITS_TOO_LONG)
    assert bench.state is CircuitState.OPEN


def test_slow_answers_open_although_they_succeed() -> None:
    bench = Bench()
    for _ in range(4):
        ticket = bench.ask()
        bench.see(ticket, WAITS_TOO_LONG)  # and then it succeeds: nothing more to count
    assert bench.state is CircuitState.OPEN


def test_an_open_circuit_refuses_and_says_for_how_long() -> None:
    bench = opened()
    bench.later(2.0)
    ticket = bench.ask()
    assert ticket.verdict is Verdict.REFUSED
    assert ticket.retry_after_seconds == pytest.approx(3.0)


def test_after_the_open_time_one_probe_goes_out_and_nobody_else() -> None:
    bench = opened()
    bench.later(5.0)
    verdicts = [bench.ask().verdict for _ in range(20)]
    assert verdicts == [Verdict.PROBE] + [Verdict.REFUSED] * 19


def test_a_probe_that_fails_doubles_the_open_time_up_to_the_cap() -> None:
    bench = opened()
    opened_for = []
    for _ in range(4):
        bench.later(OPEN_SECONDS_MAX)
        bench.call(FAILURE)
        opened_for.append(bench.circuit.open_until - bench.now)
    assert opened_for == [10.0, 10.0, 10.0, 10.0]


def test_a_probe_that_waits_too_long_has_failed() -> None:
    bench = opened()
    bench.later(5.0)
    ticket = bench.ask()
    bench.see(ticket, WAITS_TOO_LONG)
    assert bench.state is CircuitState.OPEN
    bench.see(ticket, FAILED_AFTER_ALL)
    assert bench.circuit.openings == 2


def test_a_probe_that_says_nothing_makes_room_for_the_next() -> None:
    bench = opened()
    bench.later(5.0)
    ticket = bench.ask()
    bench.circuit = machine.give_up_probe(bench.circuit, ticket, bench.now, wait_seconds=0)
    assert bench.ask().verdict is Verdict.PROBE


def test_a_probe_that_died_is_replaced_after_a_while() -> None:
    bench = opened()
    bench.later(5.0)
    dead = bench.ask()
    bench.later(10.0)
    assert bench.ask().verdict is Verdict.PROBE
    bench.see(dead, SUCCESS)
    assert bench.state is CircuitState.HALF_OPEN


def test_recovery_lets_in_a_growing_share_and_then_all() -> None:
    bench = recovering()
    shares = []
    for _ in range(5):
        asked = [bench.ask(draw=draw / 100).verdict for draw in range(100)]
        shares.append(asked.count(Verdict.CALL))
        bench.later(RAMP_SECONDS / 4)
    assert shares == [10, 25, 50, 75, 100]


def test_a_relapse_during_the_ramp_opens_for_longer() -> None:
    bench = recovering()
    for _ in range(4):
        bench.call(FAILURE)
    assert bench.state is CircuitState.OPEN
    assert bench.circuit.open_until - bench.now == 10.0


def test_a_recovery_in_full_forgets_the_openings() -> None:
    bench = recovering()
    bench.later(RAMP_SECONDS)
    for _ in range(4):
        bench.call(FAILURE)
    assert bench.circuit.open_until - bench.now == 5.0


def test_what_began_before_the_opening_says_nothing_after_the_recovery() -> None:
    bench = Bench()
    old = [bench.ask() for _ in range(10)]
    for _ in range(4):
        bench.call(FAILURE)
    bench.later(5.0)
    bench.call(SUCCESS)
    for ticket in old:
        bench.see(ticket, FAILURE)
    assert bench.state is CircuitState.CLOSED


@settings(max_examples=50)
@given(st.integers(0, 50), st.floats(0, 1, exclude_max=True))
def test_open_times_are_capped_after_jitter(openings: int, draw: float) -> None:
    for rules in RULES.values():
        seconds = machine.open_seconds(rules, openings, draw=draw)
        assert min(rules.open_seconds * 0.8, OPEN_SECONDS_MAX) <= seconds <= OPEN_SECONDS_MAX


def fleet(state: CircuitState, version: int, **more: float) -> FleetCircuit:
    return FleetCircuit(
        state=state,
        version=version,
        open_for_seconds=more.get("open_for_seconds", 0.0),
        recovering_for_seconds=more.get("recovering_for_seconds"),
    )


def test_the_fleet_opens_a_circuit_that_has_seen_nothing() -> None:
    bench = Bench()
    bench.hear(fleet(CircuitState.OPEN, 1, open_for_seconds=3.0))
    assert bench.ask().retry_after_seconds == pytest.approx(3.0)


def test_the_fleet_closes_what_another_environment_found_well() -> None:
    bench = Bench()
    bench.hear(fleet(CircuitState.OPEN, 1, open_for_seconds=3.0))
    bench.hear(fleet(CircuitState.CLOSED, 2, recovering_for_seconds=4.0))
    assert bench.ask(draw=0.49).verdict is Verdict.CALL
    assert bench.ask(draw=0.51).verdict is Verdict.REFUSED


def test_a_new_environment_takes_part_in_the_ramp() -> None:
    bench = Bench()
    bench.hear(fleet(CircuitState.CLOSED, 2, recovering_for_seconds=4.0))
    assert bench.ask(draw=0.51).verdict is Verdict.REFUSED


def test_an_old_word_of_the_fleet_is_not_heard() -> None:
    bench = Bench()
    bench.hear(fleet(CircuitState.CLOSED, 2))
    bench.hear(fleet(CircuitState.OPEN, 1, open_for_seconds=3.0))
    assert bench.state is CircuitState.CLOSED


def test_a_fleet_without_complaints_closes_only_what_it_had_opened() -> None:
    bench = Bench()
    bench.hear(fleet(CircuitState.OPEN, 1, open_for_seconds=3.0))
    bench.hear(None)
    assert bench.state is CircuitState.CLOSED
    alone = opened()
    alone.hear(None)
    assert alone.state is CircuitState.OPEN


def test_a_probe_of_ours_is_not_overruled_by_what_others_wrote_before() -> None:
    bench = opened()
    bench.later(5.0)
    bench.ask()
    bench.hear(fleet(CircuitState.OPEN, 5, open_for_seconds=5.0))
    assert bench.state is CircuitState.HALF_OPEN


def test_an_operator_keeps_a_circuit_open_and_gives_it_back() -> None:
    bench = Bench()
    bench.hear(fleet(CircuitState.FORCED_OPEN, 3))
    bench.later(1_000)
    assert bench.ask().verdict is Verdict.REFUSED
    bench.hear(fleet(CircuitState.CLOSED, 4, recovering_for_seconds=0.0))
    assert bench.ask(draw=0.0).verdict is Verdict.CALL


def test_a_disabled_circuit_lets_everything_through_whatever_is_seen() -> None:
    bench = opened()
    bench.hear(fleet(CircuitState.DISABLED, 3))
    for _ in range(20):
        assert bench.call(FAILURE) is Verdict.CALL
    bench.hear(None)
    assert bench.state is CircuitState.CLOSED
    assert bench.call(SUCCESS) is Verdict.CALL


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE])
def test_after_a_probe_what_the_fleet_said_before_it_is_not_heard(outcome: Counts) -> None:
    bench = Bench()
    before = fleet(CircuitState.OPEN, 5)
    bench.hear(before)
    bench.call(outcome)
    after = bench.circuit
    bench.hear(before)
    assert bench.circuit == after
    bench.hear(fleet(CircuitState.OPEN, 6, open_for_seconds=2.0))
    assert bench.ask().retry_after_seconds == pytest.approx(2.0)
