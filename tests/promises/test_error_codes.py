"""Every code of the catalogue is raised by our code and by a test, and operators know what to do.

What raises a code in the tests is found, not listed: a refusal that a test expects by its class or
by its enumeration member, an answer that it compares, or an example event. This is a quick look: a
run of the whole suite sees it happen (`tests/support/raised_codes.py`) and fails without it.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache

import pytest

import functions
import shared
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.operations import RUNBOOKS, why_no_runbook
from tests.promises.tree import ROOT

OAUTH_WORDS = frozenset(
    {
        "access_denied",
        "invalid_client",
        "invalid_client_metadata",
        "invalid_grant",
        "invalid_redirect_uri",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)
"""Codes that are spelled as an ``error`` of OAuth's: as text they prove nothing."""

EVERY_CODE = pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.value)


def _subclasses(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


@cache
def _classes() -> dict[ErrorCode, frozenset[str]]:
    """The exceptions of the project, by code."""
    for package in (functions, shared):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(".handler"):
                importlib.import_module(module.name)
    found: dict[ErrorCode, set[str]] = {ErrorCode.INTERNAL_ERROR: {"ServiceError"}}
    for one in _subclasses(ServiceError):
        if one.__module__.startswith(("functions.", "shared.")):
            found.setdefault(one.code, set()).add(one.__name__)
    return {code: frozenset(names) for code, names in found.items()}


@cache
def _tests() -> str:
    kinds = ("unit", "integration", "journeys")
    files = sorted(file for kind in kinds for file in (ROOT / "tests" / kind).rglob("test_*.py"))
    # Of the catalogue's own tests every code is a parameter.
    return "\n".join(file.read_text("utf-8") for file in files if file.parent.name != "errors")


@cache
def _events() -> str:
    return "\n".join(
        file.read_text("utf-8") for file in sorted((ROOT / "events").rglob("*.expected.json"))
    )


@cache
def _found(pattern: str) -> frozenset[str]:
    return frozenset(re.findall(pattern, _tests()))


@cache
def _expected_classes() -> frozenset[str]:
    arguments = _found(r"\braises\(([^)]*)\)")
    return frozenset(name for text in arguments for name in re.findall(r"\w+", text))


def _evidence(code: ErrorCode) -> Iterator[str]:
    for name in _classes().get(code, frozenset()) & _expected_classes():
        yield f"a test expects {name}"
    if code.name in _found(r"\bErrorCode\.([A-Z_]+)\b"):
        yield "a test compares the code"
    if code.value not in OAUTH_WORDS and code.value in _found(r'"([a-z_]+)"'):
        yield "a test compares the answer"
    if f'"code": "{code.value}"' in _events():
        yield "an event is answered so"


@EVERY_CODE
def test_a_code_has_an_exception_that_carries_it(code: ErrorCode) -> None:
    assert _classes().get(code)


@EVERY_CODE
def test_a_code_is_raised_in_the_tests(code: ErrorCode) -> None:
    assert list(_evidence(code))


@EVERY_CODE
def test_operators_have_a_page_for_a_code_or_a_reason_why_not(code: ErrorCode) -> None:
    page, reason = RUNBOOKS.get(code), why_no_runbook(code)

    assert (page is None) != (reason is None)
    if page is not None:
        text = (ROOT / "docs" / "runbooks" / page).read_text("utf-8")
        assert f"`{code.value}`" in text
