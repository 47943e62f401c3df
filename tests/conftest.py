"""Fixtures for every test: one Postgres server per run, one clean database per test, KMS, a clock.

Under xdist the controller starts the server and hands its address to the workers; without
workers the first test that wants a database starts it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import psycopg
import pytest

from scripts.local_stack.pgbouncer import is_wanted
from tests.support.clock import DatabaseClock
from tests.support.pooled_runs import NOT_THROUGH_A_POOL, split_for_pool
from tests.support.postgres import RunningServer, TestCluster, clean, server_of_a_run
from tests.support.raised_codes import RaisedCodes

_CONNINFO: Final = "postgres_conninfo"
_POOL: Final = "pool_address"
_until_the_run_ends = ExitStack()
_server_of_the_run: list[RunningServer] = []


def _running_server() -> RunningServer:
    if not _server_of_the_run:
        _server_of_the_run.append(_until_the_run_ends.enter_context(server_of_a_run()))
    return _server_of_the_run[0]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a new xdist worker the address of the run's server."""
    server = _running_server()
    node.workerinput |= {_CONNINFO: server.conninfo, _POOL: server.pool_address}


def pytest_configure(config: pytest.Config) -> None:
    """Watch which error codes are raised; a pool leaves tests out, and its runs are not judged."""
    if not is_wanted():
        config.pluginmanager.register(RaisedCodes(config), "raised_codes")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server where it was started."""
    _until_the_run_ends.close()
    _server_of_the_run.clear()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a pool in between makes meaningless."""
    kept, left_out = split_for_pool(items) if is_wanted() else (items, [])
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly when the browser tests were not run: a skip is easily overlooked."""
    if is_wanted():
        terminalreporter.write_sep("-", "through PgBouncer, pooling in transactions, but for")
        for name, reason in NOT_THROUGH_A_POOL.items():
            terminalreporter.write_line(f"{name}: {reason}")
    skipped = terminalreporter.stats.get("skipped", [])
    without_browser = [report for report in skipped if "browser" in report.keywords]
    if without_browser:
        terminalreporter.write_sep(
            "!", f"NOT RUN: {len(without_browser)} browser tests, see the reasons above", red=True
        )


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> TestCluster:
    """The run's Postgres server, for tests that need a database of their own."""
    handed: dict[str, Any] = getattr(request.config, "workerinput", {})
    server = (
        RunningServer(handed[_CONNINFO], handed[_POOL])
        if _CONNINFO in handed
        else _running_server()
    )
    return TestCluster(server, prefix=f"test_{handed.get('workerid', 'alone')}")


@pytest.fixture(scope="session")
def _database_of_this_worker(cluster: TestCluster) -> str:
    return cluster.clone()


@pytest.fixture
def database_admin(
    cluster: TestCluster, _database_of_this_worker: str
) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to this test's database, in autocommit, through no pool."""
    with psycopg.connect(_database_of_this_worker, autocommit=True) as connection:
        yield connection
        cluster.forget_sessions(_database_of_this_worker)
        clean(connection)


@pytest.fixture
def database_url(
    cluster: TestCluster,
    _database_of_this_worker: str,
    database_admin: psycopg.Connection[Any],
) -> str:
    """Conninfo of a migrated database without rows; emptied again after the test.

    Through PgBouncer where the run asks for it (`DATABASE_THROUGH=pgbouncer`).
    """
    return cluster.pooled(_database_of_this_worker)


@pytest.fixture
def fresh_database(cluster: TestCluster) -> Iterator[str]:
    """Conninfo of a database of its own, migrated: for roles, policies and schema changes.

    Never through a pool, as migrations themselves.
    """
    conninfo = cluster.clone()
    yield conninfo
    cluster.drop(conninfo)


@pytest.fixture
def empty_database(cluster: TestCluster) -> Iterator[str]:
    """Conninfo of a database of its own without any schema: for migrations, so through no pool."""
    conninfo = cluster.empty()
    yield conninfo
    cluster.drop(conninfo)


@pytest.fixture
def clock(database_admin: psycopg.Connection[Any]) -> Iterator[DatabaseClock]:
    """The clock of this test's database; `advance(seconds)` moves it."""
    moved = DatabaseClock(database_admin)
    yield moved
    moved.restore()


@pytest.fixture(scope="session")
def kms_endpoint() -> Iterator[str]:
    """Address of a moto server; the AWS SDK of this process is pointed at it."""
    from tests.support.aws import (  # noqa: PLC0415 - moto takes a second to import
        moto_server,
        point_sdk_at,
    )

    with moto_server() as endpoint, pytest.MonkeyPatch.context() as monkeypatch:
        point_sdk_at(endpoint, monkeypatch)
        yield endpoint


@pytest.fixture
def kms_key_id(kms_endpoint: str) -> str:
    """Id of a fresh symmetric KMS key."""
    from tests.support.aws import new_kms_key  # noqa: PLC0415 - moto takes a second to import

    return new_kms_key(kms_endpoint)
