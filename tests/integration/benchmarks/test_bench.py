"""The benchmarks run, once each; what they find out is no matter of a test."""

import json
import subprocess
from typing import Any

import pytest

from scripts.artifacts.build import LOGICAL_IDS, PROJECT
from scripts.artifacts.managed_runtime import NoPythonError, find_python

pytestmark = pytest.mark.deployment

SECONDS_MAX = 480
FORMS = ("snapshot", "byte code", "sources")


@pytest.fixture
def _a_python_that_runs_artifacts() -> None:
    try:
        find_python()
    except NoPythonError as error:
        pytest.skip(f"NOT RUN: {error}")


def _bench(command: str) -> dict[str, Any]:
    answer = subprocess.run(
        [PROJECT / "scripts" / "bench", command, "--quick", "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.usefixtures("_a_python_that_runs_artifacts")
@pytest.mark.timeout(SECONDS_MAX)
def test_bench_cold_measures_every_function_in_every_form() -> None:
    found = _bench("cold")

    measured = {(one["name"], one["form"]) for one in found["cold"]}
    serving = {"mcp_endpoint", "oauth", "token_refresh", "cleanup"}
    subjects = {*serving, "bare_sdk_server", "empty_function"}
    assert measured == {(name, form) for name in subjects for form in FORMS}
    assert all(one["size_mb"] < 75 for one in found["cold"])
    assert all(found["imports"][name] for name in LOGICAL_IDS)


@pytest.mark.usefixtures("_a_python_that_runs_artifacts")
@pytest.mark.timeout(SECONDS_MAX)
def test_bench_call_finds_one_statement_before_and_one_after_a_call() -> None:
    found = _bench("call")["call"]

    calls = {(one["call"], one["server"]) for one in found["results"]}
    assert ("search_tutorials", "mcp_endpoint") in calls
    assert ("search_tutorials", "bare SDK") in calls
    for counted in found["statements"].values():
        # A sampled success is told to the other environments: one call in twenty, more or less.
        assert counted["kinds"].pop("app.report_calls", 0.0) < 0.5
        kinds = dict(counted["kinds"])
        # One call in twenty is reported to the fleet's circuits, or more by chance.
        assert kinds.pop("app.now", 0.0) < 0.5
        assert kinds == {"app.authenticate_call": 1.0, "app.close_call": 1.0}


@pytest.mark.usefixtures("_a_python_that_runs_artifacts")
@pytest.mark.timeout(SECONDS_MAX)
def test_bench_oauth_measures_every_step_of_a_sign_in() -> None:
    found = _bench("oauth")["oauth"]

    steps = {"register", "authorize", "consent", "callback", "code", "refresh"}
    assert {step for step, times in found["steps"].items() if times["least"] > 0} == steps
    assert found["load"][0]["at_a_time"] == 1


@pytest.mark.timeout(SECONDS_MAX)
def test_bench_refresh_measures_every_way_on_every_site() -> None:
    found = _bench("refresh")["refresh"]

    assert found["speed"]["own_ms"]["runs"] == found["speed"]["window_ms"]["runs"] > 0
    assert found["speed"]["statements"]["kinds"]["app.refresh_attempts"] > 0
    assert found["claims"]["per_second"] > 0
    ways = [(one["way"], one["buffer"]) for one in found["survival"]]
    assert ways == [("ours", True), ("ours", False), ("naive", True), ("naive", False)]
    assert all(one["refreshes"] > 0 for one in found["survival"])


@pytest.mark.timeout(SECONDS_MAX)
def test_bench_vault_ends_complete_and_no_call_fails() -> None:
    found = _bench("vault")["vault"]

    assert 0 < found["asked"]["kms_calls"] <= 3 * found["asked"]["environments"]
    assert found["change"]["interruptions"] == 2
    assert found["change"]["left_on_old_key"] == found["change"]["calls_failed"] == 0
    assert found["change"]["kms_keys_in_use"] == 1
    assert found["change"]["calls_meanwhile"] > 0


@pytest.mark.timeout(SECONDS_MAX)
def test_bench_breaker_refuses_newcomers_and_asks_the_site_less_than_without() -> None:
    found = _bench("breaker")["breaker"]

    ways = {one["way"]: one for one in found["ways"]}
    assert ways["no breaker"]["newcomers_refused"] == 0
    assert ways["ours"]["newcomers_refused"] == ways["ours"]["newcomers"]
    assert ways["ours"]["reached_while_failing"] < ways["no breaker"]["reached_while_failing"]
    assert [one["failing_share"] for one in found["errors"]] == [0.01, 0.05]


@pytest.mark.timeout(SECONDS_MAX)
def test_bench_observability_compares_every_way_with_none_and_all_of_them_really_send() -> None:
    found = _bench("observability")["observability"]

    assert found["results"][0]["name"] == "off"
    assert len(found["results"]) == 4
    assert all(one["total_ratio"] > 0 for one in found["results"])
    assert all(count > 0 for count in found["received"].values())
