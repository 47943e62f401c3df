"""A town for each dialect of the site."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.integration.refresh_machine.town import Town, running_town


@pytest.fixture(params=[5, 6], ids=["dialect-5", "dialect-6"])
def town(
    request: pytest.FixtureRequest,
    database_url: str,
    database_admin: psycopg.Connection[Any],
    kms_key_id: str,
) -> Iterator[Town]:
    """A town without a story."""
    with running_town(database_url, database_admin, kms_key_id, dialect=request.param) as running:
        yield running


@pytest.fixture
def newer_town(
    database_url: str, database_admin: psycopg.Connection[Any], kms_key_id: str
) -> Iterator[Town]:
    """A town of the newer dialect only."""
    with running_town(database_url, database_admin, kms_key_id, dialect=6) as running:
        yield running


@pytest.fixture
def older_town(
    database_url: str, database_admin: psycopg.Connection[Any], kms_key_id: str
) -> Iterator[Town]:
    """A town of the older dialect only."""
    with running_town(database_url, database_admin, kms_key_id, dialect=5) as running:
        yield running
