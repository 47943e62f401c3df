"""What stories in a real browser begin with."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shared.state.roles import AppRole, ensure_roles
from tests.journeys.browser_parts import Scene, running_scene


@pytest.fixture
def dialect() -> int:
    """The dialect of the site's OAuth server; a file may ask for both."""
    return 6


@pytest.fixture
async def scene(
    dialect: int,
    database_url: str,
    database_admin: psycopg.Connection[Any],
    kms_endpoint: str,
    kms_key_id: str,
    tmp_path: Path,
) -> AsyncIterator[Scene]:
    """Site, function, browser and client on free ports."""
    ensure_roles(database_admin, {AppRole.OAUTH: None})
    environment = {
        "DATABASE_URL": make_conninfo(database_url, user=AppRole.OAUTH.value),
        "KMS_KEY_ID": kms_key_id,
        "AWS_ENDPOINT_URL": kms_endpoint,
    }
    async with running_scene(dialect, environment, log_folder=tmp_path) as scene:
        yield scene
