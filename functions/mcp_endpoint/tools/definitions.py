"""What a tool is to this door: name, scope, arguments, output, and how to run it.

Knows no protocol: the SDK's types stay in catalogue.py and in presentation's callers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.domain.content import Document, FoundPage
from shared.domain.grants import AuthenticatedCall
from shared.domain.rate_limits import LimitName
from shared.domain.scopes import Scope
from shared.domain.usage import Searched
from shared.errors.base import LogFact, ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import JsonObject


class ToolArguments(BaseModel):
    """Arguments of a tool; unknown ones are refused, so that a model learns at once."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class ToolOutput(BaseModel):
    """Structured content of a tool's answer."""

    model_config = ConfigDict(frozen=True)


class ArgumentsInvalidError(ServiceError):
    """Arguments break the tool's schema; ``problems`` name fields and rules, never values."""

    code: ClassVar[ErrorCode] = ErrorCode.ARGUMENTS_INVALID

    def __init__(
        self, problems: tuple[tuple[str, str], ...], facts: dict[str, LogFact] | None = None
    ) -> None:
        super().__init__(facts or {"fields": ", ".join(field for field, _ in problems)})
        self.problems = problems

    @property
    def details(self) -> JsonObject:
        """The problems as JSON."""
        return {"problems": [{"field": field, "rule": rule} for field, rule in self.problems]}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedResource:
    """A resource of ours that a result points to."""

    uri: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool found: text for the model, the same as data, and what the usage row notes.

    ``structured`` is None where the data would not fit an answer.
    """

    text: str
    structured: ToolOutput | JsonObject | None
    links: tuple[LinkedResource, ...] = ()
    content_id: str | None = None
    result_count: int | None = None
    searched: Searched | None = None
    continues: bool = False
    """Whether this is the next part of something that was read before."""
    shown: Document | None = None
    """What the site itself has just shown to the person, whole."""
    found: FoundPage | None = None
    """What the site itself has just found for the person."""


class CallableTool(Protocol):
    """What running a call needs of a tool, ours or the site's."""

    @property
    def name(self) -> str:
        """The name that clients know."""
        ...

    @property
    def metric_name(self) -> str:
        """What metrics call it: never a word of the site."""
        ...

    @property
    def scope(self) -> Scope | None:
        """The permission it needs."""
        ...

    def parse(self, arguments: dict[str, Any] | None) -> Any:
        """Validate arguments; ``run`` takes what this gives.

        Raises:
            ArgumentsInvalidError: naming each field and its rule.
        """
        ...

    @property
    def run(self) -> Callable[[AuthenticatedCall, Any], Awaitable[ToolResult]]:
        """Call it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """One tool of ours. All of them read only; one without a ``limit`` never asks Drupal."""

    name: str
    title: str
    description: str
    scope: Scope | None
    arguments: type[ToolArguments]
    output: type[ToolOutput]
    run: Callable[[AuthenticatedCall, Any], Awaitable[ToolResult]]
    limit: LimitName | None

    @property
    def metric_name(self) -> str:
        """What metrics call it."""
        return self.name

    def parse(self, arguments: dict[str, Any] | None) -> ToolArguments:
        """Validate arguments.

        Raises:
            ArgumentsInvalidError: naming each field and its rule.
        """
        try:
            return self.arguments.model_validate(arguments or {})
        except ValidationError as error:
            raise ArgumentsInvalidError(self._problems(error)) from None

    def _problems(self, error: ValidationError) -> tuple[tuple[str, str], ...]:
        known = ", ".join(self.arguments.model_fields)
        problems = []
        for item in error.errors(include_input=False, include_url=False, include_context=False):
            if item["type"] == "extra_forbidden":
                # The name is the caller's own text: it is not repeated.
                problems.append(("arguments", f"Unknown argument. Known: {known or 'none'}."))
            else:
                problems.append((".".join(str(part) for part in item["loc"]), item["msg"]))
        return tuple(sorted(set(problems)))

    @property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the structured content, of results and of errors.

        Some clients check errors against it too, and would hide an error that does not fit.
        """
        schema = self.output.model_json_schema(mode="serialization")
        required = schema.pop("required", [])
        properties = {**schema.pop("properties", {}), "error": _ERROR_SCHEMA}
        return {
            **schema,
            "properties": properties,
            "anyOf": [{"required": required}, {"required": ["error"]}],
        }


_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Present instead of the result when the call failed.",
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "guidance": {"type": "string"},
        "what_to_do": {"type": "string"},
        "page": {"type": "string"},
        "retryable": {"type": "boolean"},
        "correlation_id": {"type": "string"},
        "report_id": {"type": "string"},
        "retry_after_seconds": {"type": "integer"},
    },
    "required": ["code", "message", "guidance"],
}
