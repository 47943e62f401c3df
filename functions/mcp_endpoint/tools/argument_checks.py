"""Whether a caller's arguments fit a tool's schema, told without repeating a value.

Never takes longer than size of schema and arguments allow: what can be slow is left to the site.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from functions.mcp_endpoint.tools.input_schemas import TEXT_CHARACTERS_MAX, is_name

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

ARGUMENTS_CHARACTERS_MAX = 32_768
PROBLEMS_MAX = 10
_SAYS_ITS_VALUE = frozenset({"type", "enum", "const", "format"})

Problem = tuple[str, str]
"""A field and the rule that it breaks."""


def argument_problems(
    schema: Mapping[str, Any], arguments: Mapping[str, Any]
) -> tuple[Problem, ...]:
    """What is wrong with ``arguments``: fields and rules of ``schema``, at most ten."""
    if len(json.dumps(arguments, ensure_ascii=False)) > ARGUMENTS_CHARACTERS_MAX:
        return (("arguments", f"At most {ARGUMENTS_CHARACTERS_MAX} characters of JSON."),)
    problems: set[Problem] = set()
    for error in _validator_class()(schema).iter_errors(arguments):
        problems.add((_field(error), _rule(error)))
        if len(problems) == PROBLEMS_MAX:
            break
    return tuple(sorted(problems))


@functools.cache
def _validator_class() -> "Callable[[Mapping[str, Any]], Validator]":
    """Draft 2020-12 but for patterns and uniqueness.

    A pattern can take longer than a request may, and is written in another dialect of regular
    expressions; uniqueness takes the square of the items. The site checks both.
    """
    # Takes longer to import than a call lasts, and only calls of the site's tools need it.
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - see above

    divides = Draft202012Validator.VALIDATORS["multipleOf"]

    def multiple_of(*arguments: Any) -> "Iterator[ValidationError]":
        # A number that no float can hold is the site's to refuse.
        with contextlib.suppress(OverflowError):
            yield from divides(*arguments)

    unchecked = {"pattern": _passed, "uniqueItems": _passed, "multipleOf": multiple_of}
    extend: Callable[..., Callable[[Mapping[str, Any]], Validator]] = validators.extend
    return extend(Draft202012Validator, unchecked)


def _passed(*_: object) -> "Iterator[ValidationError]":
    return iter(())


def _field(error: "ValidationError") -> str:
    """The way to the argument; a name that the caller made up is not repeated."""
    steps = [str(step) for step in error.absolute_path]
    return ".".join(steps) if steps and all(map(is_name, steps)) else "arguments"


def _rule(error: "ValidationError") -> str:
    """The broken rule in the schema's own words."""
    keyword, value = str(error.validator), error.validator_value
    if keyword == "required":
        names = value if isinstance(value, list) else []
        present = error.instance if isinstance(error.instance, dict) else {}
        return f"Required: {', '.join(name for name in names if name not in present)}."
    if keyword == "additionalProperties":
        properties = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        return f"Unknown argument. Known: {', '.join(properties) or 'none'}."
    if keyword in _SAYS_ITS_VALUE or isinstance(value, int | float):
        return f"{keyword}: {json.dumps(value)[:TEXT_CHARACTERS_MAX]}."
    return f"Must keep to {keyword}."
