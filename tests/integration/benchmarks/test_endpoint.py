"""One environment after many calls, and callers of a Postgres that dies or is short: quick runs.

What they promise is counted, not timed.
"""

import json
import subprocess
from typing import Any

import pytest

from scripts.artifacts.build import PROJECT

SECONDS_MAX = 240


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


@pytest.mark.timeout(SECONDS_MAX)
def test_hundreds_of_calls_leave_no_descriptor_open_in_the_one_environment() -> None:
    found = _bench("soak")["soak"]

    assert found["calls"] == 300
    assert found["environments"] == 1
    assert found["after_warm_up"]["descriptors"] > 0
    assert found["at_the_end"]["descriptors"] <= found["after_warm_up"]["descriptors"]


@pytest.mark.timeout(SECONDS_MAX)
def test_a_dead_or_crowded_postgres_costs_no_wrong_answer_and_no_session() -> None:
    found = _bench("database")["database"]

    away, short = found["outage"], found["shortage"]
    assert away["kills"] == 1
    assert away["retries_inside_most"] <= 1
    assert short["refused"] > 0
    assert short["connections_meanwhile"] <= short["connections"]
    assert short["tasks_left"] <= 0
    lost = away["grants_lost"] + away["signed_out"] + short["signed_out"]
    assert lost == away["wrong"] == short["wrong"] == 0
