"""``/health/ready``: what it says of Postgres and the site, and how seldom it asks them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from shared.domain.circuits import CircuitState, Dependency, FleetCircuit, FleetView
from shared.domain.health import DependencyState, HealthReport, Readiness
from shared.errors.catalogue import ErrorCode
from shared.state.circuits import StoredCircuits
from shared.state.database import Database
from shared.upstream.drupal_oauth import TOKEN_PATH
from shared.upstream.drupal_rpc import RPC_PATH
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.site_probe import SiteProbe
from shared.upstream.transport import TransportLimits
from shared.vault.kms_data_keys import KeyServiceUnavailableError, KmsDataKeys
from shared.workflows.readiness import REPORT_SECONDS, CircuitViews, ReadinessCheck


class SteppedClock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class OpenCircuit:
    """A fleet that has given up on the site's JSON-RPC."""

    async def view(self) -> FleetView:
        given_up = FleetCircuit(state=CircuitState.OPEN, version=2)
        return FleetView(checked_at=datetime.now(UTC), circuits={Dependency.DRUPAL_RPC: given_up})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def site() -> AsyncIterator[RunningFakeDrupal]:
    async with running_fake_drupal(6) as running:
        yield running


Probes = Callable[[RunningFakeDrupal, str], SiteProbe]


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    async with AsyncExitStack() as stack:

        def probe_of(site: RunningFakeDrupal, path: str) -> SiteProbe:
            probe = SiteProbe(
                DrupalSite(base_url=site.url, client_id="client"),
                path,
                operation="drupal_rpc",
                limits=TransportLimits(),
            )
            stack.push_async_callback(probe.close)
            return probe

        yield probe_of


Checks = Callable[..., ReadinessCheck]


@pytest.fixture
def check_of(site: RunningFakeDrupal, probes: Probes) -> Checks:
    def make(circuits: CircuitViews, clock: SteppedClock | None = None) -> ReadinessCheck:
        looks = {Dependency.DRUPAL_RPC: probes(site, RPC_PATH).look}
        return ReadinessCheck(circuits, looks, clock=clock or SteppedClock())

    return make


def states(report: HealthReport) -> dict[Dependency, DependencyState]:
    return {name: health.state for name, health in report.dependencies.items()}


@pytest.mark.parametrize("path", [RPC_PATH, TOKEN_PATH])
@pytest.mark.parametrize("dialect", [5, 6])
async def test_a_refusal_of_the_site_is_a_sign_of_life(
    probes: Probes, dialect: int, path: str
) -> None:
    async with running_fake_drupal(dialect) as site:
        assert await probes(site, path).look() > 0


async def test_all_is_well_and_asked_once_for_everybody(
    database: Database, site: RunningFakeDrupal, check_of: Checks
) -> None:
    clock = SteppedClock()
    check = check_of(StoredCircuits(database), clock)
    reports = await asyncio.gather(*(check.report() for _ in range(50)))
    clock.now += REPORT_SECONDS - 0.1
    again = await check.report()
    asked = len(site.control.requests())
    clock.now += 0.2
    await check.report()

    assert {report.readiness for report in reports} == {Readiness.READY}
    assert set(states(reports[0]).values()) == {DependencyState.OK}
    assert (asked, len(site.control.requests())) == (1, 2)
    assert again.age_seconds == pytest.approx(REPORT_SECONDS - 0.1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("maintenance_html", ErrorCode.UPSTREAM_MAINTENANCE),
        ("error_html", ErrorCode.UPSTREAM_UNAVAILABLE),
        ("rate_limited", ErrorCode.UPSTREAM_RATE_LIMITED),
        ("install_redirect", ErrorCode.UPSTREAM_UNAVAILABLE),
        ("close_before", ErrorCode.UPSTREAM_UNAVAILABLE),
        ("proxy_page", ErrorCode.UPSTREAM_UNAVAILABLE),
    ],
)
async def test_a_site_that_is_away_degrades_and_is_told_by_code_after_it_is_back(
    database: Database,
    site: RunningFakeDrupal,
    check_of: Checks,
    fault: str,
    code: ErrorCode,
) -> None:
    clock = SteppedClock()
    check = check_of(StoredCircuits(database), clock)
    site.control.fail(fault, times=1)
    away = await check.report()
    clock.now += REPORT_SECONDS + 5
    back = await check.report()

    assert (away.readiness, away.http_status) == (Readiness.DEGRADED, 200)
    assert away.dependencies[Dependency.DRUPAL_RPC].state is DependencyState.AWAY
    assert (back.readiness, back.http_status) == (Readiness.READY, 200)
    told = back.dependencies[Dependency.DRUPAL_RPC]
    assert (told.last_error, told.last_error_seconds_ago) == (code.value, REPORT_SECONDS + 5)
    assert site.url not in repr(away.as_json())


async def test_a_site_that_hangs_is_not_waited_for(
    database: Database, site: RunningFakeDrupal, check_of: Checks
) -> None:
    site.control.fail("hang", times=1)
    report = await check_of(StoredCircuits(database)).report()

    assert report.dependencies[Dependency.DRUPAL_RPC].last_error in {
        ErrorCode.UPSTREAM_TIMEOUT.value,
        ErrorCode.DEADLINE_EXCEEDED.value,
    }


async def test_without_postgres_nothing_is_ready(check_of: Checks) -> None:
    nowhere = Database("host=127.0.0.1 port=1 dbname=none")
    report = await check_of(StoredCircuits(nowhere)).report()

    assert (report.readiness, report.http_status) == (Readiness.UNAVAILABLE, 503)
    assert report.dependencies[Dependency.POSTGRES].last_error == "database_unavailable"
    assert report.dependencies[Dependency.DRUPAL_RPC].state is DependencyState.OK


async def test_a_site_that_the_fleet_has_given_up_on_is_left_alone(
    site: RunningFakeDrupal, check_of: Checks
) -> None:
    report = await check_of(OpenCircuit()).report()

    told = report.dependencies[Dependency.DRUPAL_RPC]
    assert (told.state, told.circuit) == (DependencyState.AWAY, CircuitState.OPEN)
    assert site.control.requests() == []


async def test_a_circuit_of_this_environment_alone_is_told_too(
    database: Database, site: RunningFakeDrupal, probes: Probes
) -> None:
    own = {Dependency.POSTGRES: CircuitState.CLOSED, Dependency.DRUPAL_RPC: CircuitState.OPEN}
    looks = {Dependency.DRUPAL_RPC: probes(site, RPC_PATH).look}
    check = ReadinessCheck(StoredCircuits(database), looks, own_circuit=own.__getitem__)
    report = await check.report()

    told = report.dependencies[Dependency.DRUPAL_RPC]
    assert (told.state, told.circuit) == (DependencyState.OK, CircuitState.OPEN)


async def test_the_key_service_is_told_by_its_last_answer_and_never_asked_for_this(
    kms_key_id: str, kms_endpoint: str
) -> None:
    def keys(endpoint: str) -> KmsDataKeys:
        return KmsDataKeys(
            kms_key_id,
            connect_timeout_seconds=1,
            read_timeout_seconds=2,
            endpoint_url=endpoint,
            region_name="eu-central-1",
        )

    well, away = keys(kms_endpoint), keys("http://127.0.0.1:1")
    before = await well.look()
    await well.generate({"stage": "local"})
    with pytest.raises(KeyServiceUnavailableError):
        await away.generate({"stage": "local"})

    assert before is None
    assert (await well.look() or 0) > 0
    with pytest.raises(KeyServiceUnavailableError):
        await away.look()
    for one in (well, away):
        one.forget_client()
