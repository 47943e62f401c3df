"""Every example event is one that its function can get, and says what is expected of the answer."""

import base64
import json
from pathlib import Path

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    CloudFormationCustomResourceUpdateModel,
    EventBridgeModel,
    LambdaFunctionUrlModel,
    SqsModel,
)

from scripts.artifacts.build import LOGICAL_IDS
from scripts.replay import expectations
from scripts.replay.cases import EVENTS, PLACEHOLDERS, Case, load, placeholders_in
from shared.domain.tokens import TOKEN_PATTERN
from shared.errors.catalogue import CATALOGUE
from tests.promises.deployed import BUFFERED, SCHEDULED, STREAMING

CASES = load()
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.function}/{case.name}")


def _body(case: Case) -> str:
    body = str(case.event.get("body", ""))
    if case.event.get("isBase64Encoded"):
        return base64.b64decode(body).decode(errors="replace")
    return body


def test_every_function_has_events_and_every_folder_a_function() -> None:
    assert {case.function for case in CASES} == set(LOGICAL_IDS)


def test_every_expectation_has_its_event() -> None:
    expected = {
        file.name.removesuffix(".expected.json") for file in EVENTS.glob("*/*.expected.json")
    }

    assert expected == {case.name for case in CASES}


@EVERY_CASE
def test_an_event_is_one_that_the_platform_sends(case: Case) -> None:
    if "error" in case.expected:
        return
    if "Records" in case.event:
        SqsModel.model_validate(case.event)
    elif case.function in SCHEDULED:
        EventBridgeModel.model_validate(case.event)
    elif case.function in STREAMING + BUFFERED:
        LambdaFunctionUrlModel.model_validate(case.event)
    elif "ResponseURL" in case.event:
        CloudFormationCustomResourceUpdateModel.model_validate(case.event)


@EVERY_CASE
def test_a_case_says_what_it_shows_and_expects_something(case: Case) -> None:
    assert case.expected["shows"].endswith(".")
    assert set(case.expected) - {"shows"} <= expectations.KEYS
    wanted = {"status"} if case.function in STREAMING + BUFFERED else {"result", "error"}
    assert wanted & set(case.expected)


@EVERY_CASE
def test_placeholders_are_those_that_a_sign_in_fills(case: Case) -> None:
    text = json.dumps([case.event, case.expected]) + _body(case)

    assert placeholders_in(text) <= PLACEHOLDERS


@EVERY_CASE
def test_no_event_holds_a_token_that_could_be_real(case: Case) -> None:
    text = json.dumps(case.event) + _body(case)

    for found in TOKEN_PATTERN.finditer(text):
        assert set(found.group()[8:]) == {"A"}


@EVERY_CASE
def test_error_codes_that_are_expected_exist(case: Case) -> None:
    body = case.expected.get("json", {})
    codes = (
        [body.get("code"), body.get("error", {}).get("data", {}).get("code")]
        if isinstance(body.get("error", {}), dict)
        else [body.get("code")]
    )

    assert {code for code in codes if code} <= {code.value for code in CATALOGUE}


@pytest.mark.parametrize("file", sorted(EVENTS.glob("*/*.json")), ids=lambda file: file.name)
def test_files_are_written_in_one_way(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
