"""The fleet's circuits: opened by what environments report together, probed by one of them."""

import asyncio
from uuid import UUID, uuid4

import pytest

from shared.circuit.rules import RULES, fleet_terms
from shared.domain.circuits import (
    CallReport,
    CircuitState,
    Dependency,
    FleetCircuit,
    FleetTerms,
    FleetView,
    ProbeOutcome,
    ProbeReport,
    ProbeTurn,
)
from shared.state import forced_circuits
from shared.state.circuits import StoredCircuits
from shared.state.database import Database, DatabaseStatementError, DatabaseUnavailableError
from tests.integration.state.pieces import value
from tests.support.clock import DatabaseClock

RPC = Dependency.DRUPAL_RPC


def terms(dependency: Dependency = RPC) -> FleetTerms:
    found = fleet_terms(RULES[dependency])
    assert found is not None
    return found


@pytest.fixture
def stored(database: Database) -> StoredCircuits:
    return StoredCircuits(database)


async def report(stored: StoredCircuits, failures: int, calls: int | None = None) -> FleetView:
    seen = CallReport(calls=failures if calls is None else calls, failures=failures)
    return await stored.report(RPC, seen, terms())


async def opened(stored: StoredCircuits) -> FleetCircuit:
    return (await report(stored, 10)).circuits[RPC]


async def end(stored: StoredCircuits, owner: UUID, outcome: ProbeOutcome) -> FleetCircuit:
    return (await stored.end_probe(RPC, owner, ProbeReport(outcome=outcome), terms())).circuits[RPC]


async def test_circuits_that_are_closed_are_not_worth_a_word(stored: StoredCircuits) -> None:
    assert (await stored.view()).circuits == {}


async def test_ten_failures_of_several_environments_open_for_all(stored: StoredCircuits) -> None:
    await asyncio.gather(*(report(stored, 1) for _ in range(9)))
    assert (await stored.view()).circuits == {}
    view = await report(stored, 1)
    circuit = view.circuits[RPC]
    assert circuit.state is CircuitState.OPEN
    assert 0.8 * 5 <= circuit.open_for_seconds <= 1.2 * 5
    assert set(view.circuits) == {RPC}


async def test_failures_that_are_few_among_the_calls_open_nothing(stored: StoredCircuits) -> None:
    await report(stored, 0, calls=500)
    assert (await report(stored, 60)).circuits == {}


async def test_a_sudden_end_is_seen_although_the_long_window_is_full_of_good_calls(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await report(stored, 0, calls=5_000)
    clock.advance(6)
    assert (await report(stored, 10)).circuits[RPC].state is CircuitState.OPEN


async def test_few_failures_add_up_over_the_long_window(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    for _ in range(5):
        await report(stored, 2)
        clock.advance(5.5)
    assert (await stored.view()).circuits[RPC].state is CircuitState.OPEN


async def test_what_is_older_than_both_windows_is_forgotten(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    for _ in range(12):
        await report(stored, 2)
        clock.advance(8)
    assert (await stored.view()).circuits == {}


async def test_the_counters_stay_a_handful_of_rows(
    stored: StoredCircuits, clock: DatabaseClock, database: Database
) -> None:
    for _ in range(70):
        await report(stored, 0, calls=20)
        clock.advance(1)
    assert await value(database, "SELECT count(*) FROM app.circuit_calls") <= 64


async def test_a_probe_is_granted_to_one_of_many(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await opened(stored)
    assert await stored.claim_probe(RPC, uuid4(), terms()) is ProbeTurn.TOO_EARLY
    clock.advance(7)
    turns = await asyncio.gather(*(stored.claim_probe(RPC, uuid4(), terms()) for _ in range(20)))
    assert turns.count(ProbeTurn.GRANTED) == 1
    assert turns.count(ProbeTurn.TAKEN) == 19


async def test_a_probe_whose_environment_died_is_granted_again(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await opened(stored)
    clock.advance(7)
    dead = uuid4()
    assert await stored.claim_probe(RPC, dead, terms()) is ProbeTurn.GRANTED
    clock.advance(terms().probe_seconds_max)
    assert await stored.claim_probe(RPC, uuid4(), terms()) is ProbeTurn.GRANTED
    late = await end(stored, dead, ProbeOutcome.SUCCEEDED)
    assert late.state is CircuitState.OPEN


async def test_a_probe_that_succeeds_closes_for_all_and_the_ramp_begins(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    before = await opened(stored)
    clock.advance(7)
    owner = uuid4()
    await stored.claim_probe(RPC, owner, terms())
    circuit = await end(stored, owner, ProbeOutcome.SUCCEEDED)
    assert circuit.state is CircuitState.CLOSED
    assert circuit.version > before.version
    clock.advance(4)
    seen = (await stored.view()).circuits[RPC]
    assert seen.recovering_for_seconds == pytest.approx(4, abs=1)


async def test_a_probe_that_fails_opens_for_longer_up_to_ten_seconds(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await opened(stored)
    for _ in range(3):
        clock.advance(11)
        owner = uuid4()
        assert await stored.claim_probe(RPC, owner, terms()) is ProbeTurn.GRANTED
        circuit = await end(stored, owner, ProbeOutcome.FAILED)
        assert 8 <= circuit.open_for_seconds <= 10


async def test_a_probe_that_says_nothing_makes_room_at_once(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await opened(stored)
    clock.advance(7)
    owner = uuid4()
    await stored.claim_probe(RPC, owner, terms())
    await end(stored, owner, ProbeOutcome.SILENT)
    assert await stored.claim_probe(RPC, uuid4(), terms()) is ProbeTurn.GRANTED


async def test_an_outage_that_is_over_opens_nothing(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await opened(stored)
    clock.advance(7)
    await report(stored, 100)  # calls that hung until now
    owner = uuid4()
    await stored.claim_probe(RPC, owner, terms())
    await end(stored, owner, ProbeOutcome.SUCCEEDED)
    clock.advance(2)
    view = await report(stored, 1)
    assert view.circuits[RPC].state is CircuitState.CLOSED


async def test_a_relapse_during_the_ramp_opens_for_longer(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await opened(stored)
    clock.advance(7)
    owner = uuid4()
    await stored.claim_probe(RPC, owner, terms())
    await end(stored, owner, ProbeOutcome.SUCCEEDED)
    clock.advance(2)
    again = await opened(stored)
    assert again.openings == 2
    assert again.open_for_seconds >= 8


async def test_one_environment_that_is_worried_alone_still_probes_alone(
    stored: StoredCircuits,
) -> None:
    turns = [await stored.claim_probe(RPC, uuid4(), terms()) for _ in range(2)]
    assert turns == [ProbeTurn.GRANTED, ProbeTurn.TAKEN]


@pytest.mark.parametrize("state", [CircuitState.FORCED_OPEN, CircuitState.DISABLED])
async def test_what_an_operator_forces_stays_until_it_is_reset(
    stored: StoredCircuits, database: Database, state: CircuitState, clock: DatabaseClock
) -> None:
    async with database.transaction() as tx:
        await forced_circuits.force(tx, RPC, state)
    clock.advance(3_600)
    assert (await report(stored, 50)).circuits[RPC].state is state
    assert await stored.claim_probe(RPC, uuid4(), terms()) is not ProbeTurn.GRANTED
    async with database.transaction() as tx:
        await forced_circuits.reset(tx, RPC)
        audited = await tx.rows(
            "SELECT action, details FROM app.audit_events WHERE action LIKE 'circuit:%%'"
            " ORDER BY action"
        )
    assert (await stored.view()).circuits[RPC].state is CircuitState.CLOSED
    assert [(row["action"], row["details"]["dependency"]) for row in audited] == [
        ("circuit:forced", "drupal_rpc"),
        ("circuit:reset", "drupal_rpc"),
    ]


async def test_postgres_cannot_be_forced_open_by_any_way(database: Database) -> None:
    with pytest.raises(ValueError, match="within postgres"):
        async with database.transaction() as tx:
            await forced_circuits.force(tx, Dependency.POSTGRES, CircuitState.FORCED_OPEN)
    with pytest.raises(DatabaseStatementError):
        async with database.autocommit() as tx:
            await tx.execute(
                "INSERT INTO app.circuits (dependency, state) VALUES ('postgres', 'forced_open')"
            )


async def test_a_database_that_is_away_is_said_to_be_so_at_once(database_url: str) -> None:
    away = Database("host=127.0.0.1 port=1 dbname=nowhere")
    with pytest.raises(DatabaseUnavailableError):
        await StoredCircuits(away).view()


@pytest.mark.parametrize(("asked", "least", "most"), [(30, 30, 30), (3_600, 60, 60), (1, 4, 6)])
async def test_a_rest_that_was_asked_for_keeps_the_fleet_s_circuit_open(
    stored: StoredCircuits, asked: float, least: float, most: float
) -> None:
    seen = CallReport(calls=10, failures=10, asked_wait_seconds=asked)
    circuit = (await stored.report(RPC, seen, terms())).circuits[RPC]

    assert least - 1 <= circuit.open_for_seconds <= most + 1


async def test_a_probe_that_was_asked_to_wait_tells_the_fleet(
    stored: StoredCircuits, clock: DatabaseClock
) -> None:
    await opened(stored)
    clock.advance(7)
    owner = uuid4()
    await stored.claim_probe(RPC, owner, terms())
    found = ProbeReport(outcome=ProbeOutcome.FAILED, asked_wait_seconds=45)
    circuit = (await stored.end_probe(RPC, owner, found, terms())).circuits[RPC]

    assert 44 <= circuit.open_for_seconds <= 45
