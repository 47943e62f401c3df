"""The error catalogue and its translations."""

import pytest

from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.errors.entries import Guidance
from shared.errors.translation import (
    as_guidance,
    as_jsonrpc_error,
    as_oauth_error,
    as_service_error,
)


class AwayError(UnavailableError):
    """Something is away."""

    code = ErrorCode.DATABASE_UNAVAILABLE


def test_every_code_has_exactly_one_row() -> None:
    assert set(CATALOGUE) == set(ErrorCode)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_whatever_passes_by_itself_says_when_to_come_back(code: ErrorCode) -> None:
    entry = CATALOGUE[code]

    assert entry.retryable == (entry.retry_after_seconds is not None)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_an_outage_never_looks_like_a_lost_sign_in(code: ErrorCode) -> None:
    entry = CATALOGUE[code]

    if entry.guidance is Guidance.RETRY_LATER:
        # Of all answers below 500 only this one tells clients to keep what they have.
        too_many = code in {ErrorCode.TOO_MANY_REQUESTS, ErrorCode.TOO_MANY_CALLS_AT_ONCE}
        assert entry.http_status == (429 if too_many else 503)
        assert entry.oauth_code == "temporarily_unavailable"


def test_an_unknown_exception_becomes_an_internal_error_without_its_text() -> None:
    error = as_service_error(RuntimeError("select secret from table"))

    assert error.code is ErrorCode.INTERNAL_ERROR
    assert "secret" not in str(as_guidance(error, correlation_id="c"))


def test_a_known_error_stays_what_it_is() -> None:
    error = AwayError()

    assert as_service_error(error) is error


def test_facts_for_the_log_never_reach_a_caller() -> None:
    error = ServiceError({"host": "db.internal"})

    for body in (
        as_guidance(error, correlation_id="c"),
        as_oauth_error(error, correlation_id="c"),
        as_jsonrpc_error(error, correlation_id="c"),
    ):
        assert "db.internal" not in str(body)


def test_a_retry_time_given_by_the_dependency_goes_before_the_catalogue_s() -> None:
    error = AwayError(retry_after_seconds=77)

    assert as_guidance(error, correlation_id="c")["retry_after_seconds"] == 77
