"""Every fault of a request is counted once, by how it ended; the first one is named."""

from collections import Counter, deque

import pytest

from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics, recovery
from shared.observability.request_context import Ending, begin_request
from tests.unit.observability.conftest import Lines


class DatabaseAwayError(UnavailableError):
    code = ErrorCode.DATABASE_UNAVAILABLE


class SiteAwayError(UnavailableError):
    code = ErrorCode.UPSTREAM_UNAVAILABLE


class NoSuchContentError(ServiceError):
    code = ErrorCode.CONTENT_NOT_FOUND


def counted(lines: Lines) -> dict[tuple[str, str], float]:
    metrics.flush()
    found: Counter[tuple[str, str]] = Counter()
    for line in lines():
        if "Faults" in line:
            found[line["dependency"], line["outcome"]] += sum(line["Faults"])
    return dict(found)


def failing(dependency: str, error: UnavailableError) -> None:
    with pytest.raises(UnavailableError), recovery.watched(dependency):
        raise error


def working(dependency: str) -> None:
    with recovery.watched(dependency):
        pass


def test_a_success_after_a_fault_of_the_same_dependency_is_a_retry(lines: Lines) -> None:
    with begin_request(function="f"):
        failing("postgres", DatabaseAwayError())
        failing("drupal_rpc", SiteAwayError())
        working("postgres")
        recovery.surfaced()
        recovery.settle()

    assert counted(lines) == {
        ("postgres", Ending.RETRY.value): 1,
        ("drupal_rpc", Ending.SURFACED.value): 1,
    }


def test_what_the_caller_never_saw_was_done_without(lines: Lines) -> None:
    with begin_request(function="f"):
        failing("drupal_rpc", SiteAwayError())
        recovery.settle()

    assert counted(lines) == {("drupal_rpc", Ending.FALLBACK.value): 1}


def in_the_background(*dependencies: str) -> None:
    """One tick whose work comes to nothing, and is due again."""
    with begin_request(function="f"):
        for dependency in dependencies:
            failing(dependency, SiteAwayError())
        recovery.settle(background=True)


@pytest.fixture
def nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_waiting", deque())


@pytest.mark.usefixtures("nothing_waits")
def test_faults_of_background_work_wait_until_it_is_done_again(lines: Lines) -> None:
    in_the_background("drupal_oauth", "drupal_oauth", "kms")
    before = counted(lines)
    with begin_request(function="f"):
        working("drupal_oauth")
        recovery.settle(background=True)

    assert before == {}
    assert counted(lines) == {("drupal_oauth", Ending.RETRY.value): 2}


@pytest.mark.usefixtures("nothing_waits")
def test_a_probe_that_succeeds_recovers_what_has_waited_for_it(lines: Lines) -> None:
    in_the_background("drupal_oauth")
    with begin_request(function="f"):
        failing("drupal_oauth", SiteAwayError())
        with recovery.probing("drupal_oauth"):
            working("drupal_oauth")
        working("drupal_oauth")
        recovery.settle(background=True)

    assert counted(lines) == {("drupal_oauth", Ending.PROBE.value): 2}


@pytest.mark.usefixtures("nothing_waits")
def test_what_nothing_recovers_in_time_surfaces(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A whole number, so that differences are exact.
    now = 1_000_000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    in_the_background("drupal_oauth")
    now += recovery.WAITING_SECONDS_MAX
    in_the_background("kms")
    just_in_time = counted(lines)
    now += 1
    in_the_background("kms")

    assert just_in_time == {}
    assert counted(lines) == {("drupal_oauth", Ending.SURFACED.value): 1}


@pytest.mark.usefixtures("nothing_waits")
def test_no_more_than_so_many_wait_and_none_is_lost(lines: Lines) -> None:
    ticks = recovery.WAITING_MAX // recovery.FAULTS_MAX + 1
    for _ in range(ticks):
        in_the_background(*["drupal_oauth"] * recovery.FAULTS_MAX)
    with begin_request(function="f"):
        working("drupal_oauth")

    assert counted(lines) == {
        ("drupal_oauth", Ending.SURFACED.value): recovery.FAULTS_MAX,
        ("drupal_oauth", Ending.RETRY.value): recovery.WAITING_MAX,
    }


@pytest.mark.usefixtures("nothing_waits")
def test_every_fault_that_was_met_has_ended_in_one_way(lines: Lines) -> None:
    with begin_request(function="f"):
        failing("postgres", DatabaseAwayError())
        working("postgres")
        recovery.met("site_token", SiteAwayError())
        recovery.recovered("site_token", Ending.REFRESH)
        failing("kms", SiteAwayError())
        recovery.settle()
    with begin_request(function="f"):
        failing("drupal_rpc", SiteAwayError())
        recovery.surfaced()
        recovery.settle()
    in_the_background("drupal_oauth")
    with begin_request(function="f"), recovery.probing("drupal_oauth"):
        working("drupal_oauth")
    ended = {Ending(outcome): number for (_, outcome), number in counted(lines).items()}

    assert ended == dict.fromkeys(Ending, 1)
    assert recovery.recovered_share(ended) == pytest.approx(0.8)


def test_automatic_recovery_is_what_was_recovered_of_all_that_ended() -> None:
    met = {Ending.RETRY: 40, Ending.REFRESH: 30, Ending.FALLBACK: 20, Ending.PROBE: 6}

    assert recovery.recovered_share({**met, Ending.SURFACED: 4}) == pytest.approx(0.96)
    assert recovery.recovered_share({Ending.SURFACED: 4}) == 0
    assert recovery.recovered_share(met) == 1
    assert recovery.recovered_share({}) is None


def test_no_fault_counts_nothing_and_faults_of_one_request_are_bounded(lines: Lines) -> None:
    with begin_request(function="f"):
        recovery.surfaced()
        recovery.settle()
    with begin_request(function="f") as request:
        for _ in range(100):
            failing("postgres", DatabaseAwayError())
        assert len(request.faults) == recovery.FAULTS_MAX

    assert counted(lines) == {}


def test_of_two_faults_the_first_is_the_cause() -> None:
    with begin_request(function="f") as request:
        failing("postgres", DatabaseAwayError())
        failing("drupal_rpc", SiteAwayError())
        told = recovery.first_cause(SiteAwayError())
        recovery.recovered("postgres", Ending.RETRY)
        after = recovery.first_cause(SiteAwayError())

    assert (told, after) == ("database_unavailable", "upstream_unavailable")
    assert request.notes["first_fault"] == "postgres:database_unavailable"


def test_a_refusal_is_no_outage_whatever_failed_before() -> None:
    with begin_request(function="f"):
        failing("postgres", DatabaseAwayError())

        assert recovery.first_cause(NoSuchContentError()) == "content_not_found"


def test_without_a_request_nothing_is_kept() -> None:
    failing("postgres", DatabaseAwayError())
    recovery.settle()

    assert recovery.first_cause(SiteAwayError()) == "upstream_unavailable"
