"""A database with as many connections as a test of concurrency needs to be really at once."""

from collections.abc import AsyncIterator

import pytest

from shared.state.database import Database

CONNECTIONS_MAX = 10


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The superuser's; ``test_roles`` says what the functions' own roles may do."""
    database = Database(database_url, connections_max=CONNECTIONS_MAX)
    yield database
    await database.close()
