import json
from pathlib import Path

import pytest

from scripts.conformance_suite.programs import Outcome
from scripts.conformance_suite.suite import Check, Status, SuiteFailedError, read_results

REVISION = "2026-07-28"
PRINTED = "\n=== Running scenario: ping ===\nChecks\n=== Running scenario: tools-list ===\n"


def leave(folder: Path, scenario: str, *checks: tuple[str, str]) -> None:
    place = folder / f"server-{scenario}-2026-11-23T04-19-40-820Z"
    place.mkdir(parents=True)
    items = [{"id": name, "status": status, "errorMessage": status} for name, status in checks]
    (place / "checks.json").write_text(json.dumps(items))


def test_every_scenario_is_read_with_the_worst_of_each_check(tmp_path: Path) -> None:
    leave(tmp_path, "ping", ("a", "SUCCESS"), ("a", "FAILURE"), ("a", "INFO"))
    leave(tmp_path, "tools-list", ("b", "SKIPPED"), ("b", "SUCCESS"))

    results = read_results(Outcome(1, PRINTED, ""), tmp_path, kind="server", revision=REVISION)

    assert [result.scenario for result in results] == ["ping", "tools-list"]
    assert results[0].checks == (Check("a", Status.FAILURE, "FAILURE"),)
    assert results[1].checks[0].status is Status.SUCCESS


def test_a_scenario_without_a_result_is_no_pass(tmp_path: Path) -> None:
    leave(tmp_path, "ping", ("a", "SUCCESS"))

    with pytest.raises(SuiteFailedError, match="without result: tools-list"):
        read_results(Outcome(0, PRINTED, ""), tmp_path, kind="server", revision=REVISION)


@pytest.mark.parametrize("outcome", [Outcome(0, "", ""), Outcome(2, PRINTED, "boom")])
def test_a_suite_that_did_not_run_is_no_pass(tmp_path: Path, outcome: Outcome) -> None:
    with pytest.raises(SuiteFailedError):
        read_results(outcome, tmp_path, kind="server", revision=REVISION)
