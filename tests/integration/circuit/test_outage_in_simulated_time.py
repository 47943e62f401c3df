"""The whole course of an outage for a fleet, in simulated time over a real Postgres.

``scripts/bench breaker`` runs the same with real processes, beside other breakers.
"""

import pytest

from shared.state.circuits import StoredCircuits
from shared.state.database import Database
from tests.integration.circuit.simulated_fleet import SimulatedFleet
from tests.support.clock import DatabaseClock

PROCESSES = 12
CALLERS_EACH = 17
THINK_SECONDS = 2.0
CALLERS = PROCESSES * CALLERS_EACH


@pytest.fixture
def fleet(database: Database, clock: DatabaseClock) -> SimulatedFleet:
    return SimulatedFleet(StoredCircuits(database), clock, size=PROCESSES)


async def test_a_site_that_hangs_is_left_alone_within_six_seconds_and_full_within_thirty(
    fleet: SimulatedFleet,
) -> None:
    fleet.callers(each=CALLERS_EACH, think_seconds=THINK_SECONDS)
    await fleet.run(5)
    assert fleet.in_full_service()

    fleet.hangs, fleet.reached = True, 0
    await fleet.run(6)
    assert fleet.refusing() == PROCESSES
    first_wave = fleet.reached
    assert first_wave <= CALLERS
    await fleet.run(34)
    assert fleet.reached - first_wave <= 6  # probes
    assert fleet.probes_out_max == 1

    fleet.hangs = False
    await fleet.run(30)
    assert fleet.in_full_service()
    assert fleet.probes_out_max == 1


async def test_many_environments_with_one_caller_each_judge_together(
    database: Database, clock: DatabaseClock
) -> None:
    size = 60  # alone, each would need five calls to judge
    fleet = SimulatedFleet(StoredCircuits(database), clock, size=size)
    fleet.callers(each=1, think_seconds=1.0)
    await fleet.run(5)
    fleet.hangs, fleet.reached = True, 0
    await fleet.run(30)
    assert fleet.reached <= size + 6  # one call of each, and probes
    assert fleet.probes_out_max == 1
    fleet.hangs = False
    await fleet.run(30)
    assert fleet.in_full_service()


async def test_a_fleet_with_five_errors_in_a_hundred_calls_goes_on(
    fleet: SimulatedFleet,
) -> None:
    fleet.failing_share = 0.05
    fleet.callers(each=CALLERS_EACH, think_seconds=THINK_SECONDS)
    for _ in range(20):
        await fleet.run(1)
        assert fleet.in_full_service()
