"""Compares an answer with what its case expects; everything that differs is told, not the first.

Keys of an expectation: ``status``, ``headers`` (by lower-case name), ``absent`` (header names),
``cookies`` (beginnings), ``json`` (a part of the body), ``text`` (pieces of it), ``result`` (a
part of what was returned), ``error`` (the type of what was raised), ``shows`` (what for). Inside
``headers``, ``json`` and ``result`` an object ``{"$matches": REGEX}`` stands for a string and
``{"$includes": [PART, …]}`` for a list with such items. It must never tell a token of ours.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from scripts.replay.answers import FunctionAnswer
from shared.observability.redaction import redact

_SHOWN: Final = 120


def differences(answer: FunctionAnswer, expected: dict[str, Any]) -> list[str]:
    """What is not as expected, each as one line."""
    unknown = set(expected) - set(_CHECKS) - {"shows"}
    found = [f"unknown expectation {name}" for name in sorted(unknown)]
    if answer.error is not None and "error" not in expected:
        return [*found, f"failed with {answer.error}"]
    for name, check in _CHECKS.items():
        if name in expected:
            found += check(answer, expected[name])
    return found


def _status(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    if answer.status != wanted:
        yield f"status {answer.status}, not {wanted}"


def _headers(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    for name, value in wanted.items():
        yield from parts_missing(answer.headers.get(name), value, f"header {name}")


def _absent(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    yield from (f"header {name} is there" for name in wanted if name in answer.headers)


def _cookies(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    for beginning in wanted:
        if not any(cookie.startswith(beginning) for cookie in answer.cookies):
            yield f"no cookie {beginning}…"


def _json(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    try:
        body = json.loads(answer.body)
    except ValueError:
        yield "the body is no JSON"
        return
    yield from parts_missing(body, wanted, "body")


def _text(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    text = answer.body.decode(errors="replace")
    yield from (f"the body does not say {piece!r}" for piece in wanted if piece not in text)


def _result(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    yield from parts_missing(answer.result, wanted, "result")


def _error(answer: FunctionAnswer, wanted: Any) -> Iterator[str]:
    if answer.error != wanted:
        yield f"error {answer.error}, not {wanted}"


_CHECKS: Final[dict[str, Callable[[FunctionAnswer, Any], Iterator[str]]]] = {
    "status": _status,
    "headers": _headers,
    "absent": _absent,
    "cookies": _cookies,
    "json": _json,
    "text": _text,
    "result": _result,
    "error": _error,
}


KEYS: Final = frozenset(_CHECKS)


def parts_missing(actual: Any, wanted: Any, where: str) -> list[str]:
    """The parts of ``wanted`` that ``actual`` lacks; more in ``actual`` is no difference."""
    if isinstance(wanted, dict) and set(wanted) == {"$matches"}:
        matches = isinstance(actual, str) and re.search(wanted["$matches"], actual)
        return [] if matches else [f"{where}: {_short(actual)} does not match {wanted['$matches']}"]
    if isinstance(wanted, dict) and set(wanted) == {"$includes"}:
        items = actual if isinstance(actual, list) else []
        missing = [
            part
            for part in wanted["$includes"]
            if all(parts_missing(item, part, where) for item in items)
        ]
        return [f"{where}: no {_short(part)}" for part in missing]
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return [
            line
            for name, value in wanted.items()
            for line in parts_missing(actual.get(name), value, f"{where}.{name}")
        ]
    return [] if actual == wanted else [f"{where}: {_short(actual)}, not {_short(wanted)}"]


def _short(value: Any) -> str:
    text = str(redact(json.dumps(value)))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
