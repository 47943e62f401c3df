from collections.abc import AsyncIterator

import httpx
import pytest

from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal


@pytest.fixture(params=[5, 6])
async def either_site(request: pytest.FixtureRequest) -> AsyncIterator[RunningFakeDrupal]:
    """A site of each dialect in turn."""
    async with running_fake_drupal(request.param) as site:
        yield site


@pytest.fixture
async def site() -> AsyncIterator[RunningFakeDrupal]:
    """A site of the 6.x dialect."""
    async with running_fake_drupal(6) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client without cookies or base address."""
    async with httpx.AsyncClient(timeout=5.0) as client:
        yield client
