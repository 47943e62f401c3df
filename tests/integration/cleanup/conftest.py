"""A world for each test: fake site, empty database, key service."""

from collections.abc import AsyncIterator

import pytest

from tests.support.upstream_world import UpstreamWorld, running_world


@pytest.fixture
async def world(database_url: str, kms_key_id: str) -> AsyncIterator[UpstreamWorld]:
    """A site of the newer dialect with nobody signed in."""
    async with running_world(database_url, kms_key_id) as running:
        yield running
