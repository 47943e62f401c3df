from dataclasses import replace

import pytest

from shared.circuit.rules import PROBE_SECONDS_MAX, RULES
from shared.domain.circuits import Dependency
from shared.settings import UpstreamSettings

LONGEST_CALL_SECONDS = UpstreamSettings.model_fields["drupal_rpc_timeout_seconds"].default


def test_every_dependency_has_its_own_numbers() -> None:
    assert set(RULES) == set(Dependency)


def test_a_probe_is_over_before_it_is_taken_for_dead() -> None:
    assert LONGEST_CALL_SECONDS < PROBE_SECONDS_MAX


def test_a_probe_found_slow_has_ended_before_the_next_goes_out() -> None:
    rules = RULES[Dependency.DRUPAL_RPC]
    assert rules.slow_call_seconds + 0.8 * rules.open_seconds >= LONGEST_CALL_SECONDS


def test_only_what_postgres_can_carry_is_shared_by_the_fleet() -> None:
    shared = {dependency for dependency, rules in RULES.items() if rules.fleet is not None}
    assert shared == set(Dependency) - {Dependency.POSTGRES, Dependency.KMS}


def test_answers_from_before_a_hang_can_never_outvote_it() -> None:
    with pytest.raises(ValueError, match="outvote"):
        replace(RULES[Dependency.DRUPAL_RPC], slow_window_seconds=30.0)
