"""The authorization server over a real database and key service; only Drupal is a stand-in."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from shared.state.database import Database
from shared.state.roles import AppRole, ensure_roles
from shared.vault.token_vault import TokenVault
from tests.integration.oauth.driver import ISSUER, Driver
from tests.integration.oauth.server_parts import dependencies_of, vault_of
from tests.integration.oauth.upstream_stub import UpstreamStub
from tests.integration.oauth.visitor import Visitor

CONNECTIONS_MAX = 10


@pytest.fixture
def role_url(database_url: str, database_admin: psycopg.Connection[Any]) -> str:
    """Conninfo of the function's own database role: missing privileges show here."""
    ensure_roles(database_admin, {AppRole.OAUTH: None})
    return make_conninfo(database_url, user=AppRole.OAUTH.value)


@pytest.fixture
async def database(role_url: str) -> AsyncIterator[Database]:
    """As many connections as the tests of concurrency need to be really at once."""
    database = Database(role_url, connections_max=CONNECTIONS_MAX)
    yield database
    await database.close()


@pytest.fixture
def upstream() -> UpstreamStub:
    """The site."""
    return UpstreamStub()


@pytest.fixture
def vault(database: Database, kms_endpoint: str, kms_key_id: str) -> TokenVault:
    """The real vault."""
    return vault_of(database, kms_endpoint=kms_endpoint, kms_key_id=kms_key_id)


@pytest.fixture
def dependencies(database: Database, vault: TokenVault, upstream: UpstreamStub) -> Dependencies:
    """Everything plugged together, with short lives where tests wait for their end."""
    return dependencies_of(database, vault=vault, upstream=upstream)


@pytest.fixture
async def http(dependencies: Dependencies) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP straight into the application."""
    transport = httpx2.ASGITransport(app=create_app(dependencies))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as client:
        yield client


@pytest.fixture
def driver(http: httpx2.AsyncClient, upstream: UpstreamStub) -> Driver:
    """A client and a person."""
    return Driver(http=http, upstream=upstream)


@pytest.fixture
def maya(driver: Driver) -> Visitor:
    """The person with the subject 42, who connects through ``driver``."""
    return Visitor(driver.http, driver.upstream)
