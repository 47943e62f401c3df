"""Every fault of a request is counted once, by how it ended; the first one is named."""

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
    return {
        (line["dependency"], line["outcome"]): sum(line["Faults"])
        for line in lines()
        if "Faults" in line
    }


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


def test_work_in_the_background_is_postponed(lines: Lines) -> None:
    with begin_request(function="f"):
        failing("drupal_oauth", SiteAwayError())
        recovery.settle(background=True)

    assert counted(lines) == {("drupal_oauth", Ending.POSTPONED.value): 1}


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
