"""Debug mode: causes beside the catalogue's text, never a secret, never in production."""

import json
from collections.abc import Iterator

import pytest

from shared.errors.base import ServiceError
from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.errors.operations import DEPENDENCIES
from shared.errors.translation import as_guidance, as_jsonrpc_error, as_oauth_error, as_problem
from shared.observability import debug_answers, recovery, tracing
from shared.observability.debug_answers import debug_of
from shared.observability.request_context import begin_request
from shared.observability.spans import SpanName
from shared.settings import ObservabilitySettings
from shared.settings_group import SettingsError
from tests.unit.observability import canaries


@pytest.fixture
def debugging() -> Iterator[None]:
    debug_answers.configure(enabled=True)
    yield
    debug_answers.configure(enabled=False)


def error_of(code: ErrorCode, secret: str = "") -> ServiceError:
    kind = type("PlannedError", (ServiceError,), {"code": code})
    error: ServiceError = kind({"upstream_status": 502, "detail": secret})
    error.__cause__ = RuntimeError(f"a driver's text with {secret}")
    return error


def test_nothing_is_added_while_it_is_off() -> None:
    assert debug_of(error_of(ErrorCode.UPSTREAM_UNAVAILABLE)) == {}


def test_causes_dependency_status_and_times_are_told(debugging: None) -> None:
    error = error_of(ErrorCode.UPSTREAM_UNAVAILABLE)
    with begin_request(function="f"):
        with tracing.span(SpanName.UPSTREAM_RPC):
            recovery.met("drupal_rpc", error)
        told = debug_of(error)["debug"]

    assert isinstance(told, dict)
    assert told["first_cause"] == "upstream_unavailable"
    assert (told["dependency"], told["status"]) == ("drupal", 502)
    assert [one["error"] for one in told["causes"]] == ["RuntimeError", "upstream_unavailable"]
    assert told["faults"] == [
        {"dependency": "drupal_rpc", "error": "upstream_unavailable", "ended": None}
    ]
    assert told["spans_ms"]["upstream_rpc"] >= 0
    assert told["elapsed_ms"] >= 0


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_is_translated_in_both_modes(code: ErrorCode, debugging: None) -> None:
    error, entry = error_of(code), CATALOGUE[code]
    oauth = as_oauth_error(error, correlation_id="c")
    problem = as_problem(error, correlation_id="c")
    rpc = as_jsonrpc_error(error, correlation_id="c", request_id=1)
    production = [oauth, problem, rpc, as_guidance(error, correlation_id="c")]

    assert (oauth["error"], problem["status"]) == (entry.oauth_code, entry.http_status)
    assert problem["type"] == f"urn:drupalize-mcp:error:{code.value}"
    for body in production:
        assert entry.message in json.dumps(body)
        assert "RuntimeError" not in json.dumps(body)
    assert '"RuntimeError"' in json.dumps(debug_of(error))


@pytest.mark.parametrize("name", list(canaries.ALL))
def test_no_secret_is_in_any_answer_of_either_mode(name: str, debugging: None) -> None:
    text, secret = canaries.ALL[name]
    error = error_of(ErrorCode.UPSTREAM_UNAVAILABLE, text)
    with begin_request(function="f"):
        recovery.met("drupal_rpc", error)
        bodies = [debug_of(error), as_problem(error, correlation_id="c")]

    assert secret not in json.dumps(bodies)


def test_a_long_chain_is_cut_at_its_later_end(debugging: None) -> None:
    error = error_of(ErrorCode.INTERNAL_ERROR)
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    for _ in range(50):
        root.__cause__ = ValueError()
        root = root.__cause__
    told = debug_of(error)["debug"]

    assert isinstance(told, dict)
    assert {one["error"] for one in told["causes"]} == {"ValueError"}


def test_a_production_stage_refuses_it_at_the_start() -> None:
    with pytest.raises(SettingsError, match="DEBUG_ANSWERS is refused in the stage prod"):
        ObservabilitySettings.from_environment({"STAGE": "prod", "DEBUG_ANSWERS": "true"})
    assert ObservabilitySettings.from_environment({"STAGE": "prod"}).debug_answers is False
    debugged = {"STAGE": "staging", "DEBUG_ANSWERS": "true"}
    assert ObservabilitySettings.from_environment(debugged).debug_answers is True


def test_every_outage_of_a_dependency_names_it() -> None:
    passing = {code for code in ErrorCode if code.value.endswith("_unavailable")}

    assert passing - {ErrorCode.ACCOUNT_UNAVAILABLE} <= set(DEPENDENCIES)
