"""Environments that share one database."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from shared.circuit.guard import CircuitGuard
from shared.state.circuits import StoredCircuits
from shared.state.database import Database
from tests.unit.circuit.pieces import Hands

NewEnvironment = Callable[[], CircuitGuard]


@pytest.fixture
def hands() -> Hands:
    """The clock of all environments of a test."""
    return Hands()


@pytest.fixture
async def new_environment(database_url: str, hands: Hands) -> AsyncIterator[NewEnvironment]:
    """Makes a guard as one environment has it: with one connection of its own."""
    async with AsyncExitStack() as stack:

        def make() -> CircuitGuard:
            database = Database(database_url)
            stack.push_async_callback(database.close)
            return CircuitGuard(fleet=StoredCircuits(database), clock=hands, chance=lambda: 0.5)

        yield make


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """What a test looks into the database with."""
    database = Database(database_url)
    yield database
    await database.close()
