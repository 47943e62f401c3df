"""Prompts that help a learner: each a request in the person's words that leads to the tutorials.

Never fetches anything: a prompt tells the model which tools to use.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from mcp import MCPError
from mcp_types import (
    GetPromptRequestParams,
    GetPromptResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

from functions.mcp_endpoint import tool_errors
from functions.mcp_endpoint.tools.definitions import ArgumentsInvalidError
from shared.domain.scopes import Scope
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode

ARGUMENT_CHARACTERS_MAX = 500

_SOURCES = (
    "Base what you say on what you read there, not on memory, and give the address of every "
    "tutorial you used. If something is open to members only, say so and go on with the rest."
)


class UnknownPromptError(ServiceError):
    """There is no prompt of this name."""

    code: ClassVar[ErrorCode] = ErrorCode.PROMPT_UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptDefinition:
    """One prompt; ``scopes`` are those of the tools it leads to."""

    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]
    scopes: tuple[Scope, ...]
    write: Callable[[Mapping[str, str]], str]

    def checked(self, given: Mapping[str, str]) -> dict[str, str]:
        """The arguments that say something.

        Raises:
            ArgumentsInvalidError: one is missing, unknown or too long.
        """
        known = {argument.name for argument in self.arguments}
        said = {name: text.strip() for name, text in given.items() if text.strip()}
        problems = [
            (argument.name, "Required.")
            for argument in self.arguments
            if argument.required and argument.name not in said
        ]
        problems += [
            (name, f"At most {ARGUMENT_CHARACTERS_MAX} characters.")
            for name, text in said.items()
            if name in known and len(text) > ARGUMENT_CHARACTERS_MAX
        ]
        if not known.issuperset(given):
            problems.append(("arguments", f"Unknown argument. Known: {', '.join(sorted(known))}."))
        if problems:
            raise ArgumentsInvalidError(tuple(problems))
        return said


class Prompts:
    """The prompts of this server, in the order in which they are listed."""

    def __init__(self, definitions: Iterable[PromptDefinition]) -> None:
        self._definitions = {definition.name: definition for definition in definitions}

    def prompts_for(self, scopes: Iterable[str]) -> list[Prompt]:
        """The prompts whose tools a session with ``scopes`` may call."""
        granted = set(scopes)
        return [
            Prompt(
                name=prompt.name,
                title=prompt.title,
                description=prompt.description,
                arguments=list(prompt.arguments),
            )
            for prompt in self._definitions.values()
            if granted.issuperset(scope.value for scope in prompt.scopes)
        ]

    def scopes_needed(self, name: object) -> tuple[Scope, ...]:
        """The permissions that this prompt needs."""
        prompt = self._definitions.get(name) if isinstance(name, str) else None
        return () if prompt is None else prompt.scopes

    def get(self, params: GetPromptRequestParams) -> GetPromptResult:
        """One prompt with its arguments in place.

        Raises:
            MCPError: -32602, for an unknown name or bad arguments (MCP prompts, error handling).
        """
        try:
            return self._filled(params)
        except ServiceError as error:
            raise _refusal(tool_errors.noted(error)) from None

    def _filled(self, params: GetPromptRequestParams) -> GetPromptResult:
        prompt = self._definitions.get(params.name)
        if prompt is None:
            raise UnknownPromptError
        text = prompt.write(prompt.checked(params.arguments or {}))
        message = PromptMessage(role="user", content=TextContent(text=text))
        return GetPromptResult(description=prompt.description, messages=[message])


def _refusal(error: ServiceError) -> MCPError:
    details = error.details if isinstance(error, ArgumentsInvalidError) else {}
    data = {**tool_errors.guidance_of(error), **details}
    return MCPError(error.entry.jsonrpc_code, error.entry.message, data)


def _explain_topic(said: Mapping[str, str]) -> str:
    version = f" in Drupal {said['drupal_version']}" if "drupal_version" in said else ""
    reader = said.get("experience", "somebody who is new to it")
    return (
        f"Explain this to me{version}: {said['topic']}\n\n"
        f"I am {reader}. Find the tutorials about it with search_tutorials, read the two or three "
        "best with get_tutorial, and then explain: what it is, when to use it, a small example, "
        f"and what people get wrong. {_SOURCES}"
    )


def _study_plan(said: Mapping[str, str]) -> str:
    hours = f" I have {said['hours_per_week']} hours a week." if "hours_per_week" in said else ""
    start = f" I know already: {said['known']}." if "known" in said else ""
    return (
        f"Make me a study plan. My goal: {said['goal']}.{hours}{start}\n\n"
        "Search for courses, guides and tutorials with search_tutorials, several times with "
        "different words, and look into them with get_tutorial where the summary does not tell "
        "the level. Order them so that each builds on the ones before, in weeks, with what I "
        f"should be able to do at the end of each. {_SOURCES}"
    )


def build_prompts() -> Prompts:
    """The list: a new prompt gets an entry here."""
    return Prompts(
        (
            PromptDefinition(
                name="explain_topic",
                title="Explain a topic",
                description="Explains something about Drupal from the tutorials.",
                arguments=(
                    PromptArgument(name="topic", description="What to explain.", required=True),
                    PromptArgument(name="drupal_version", description='Such as "11".'),
                    PromptArgument(
                        name="experience", description='Such as "a site builder who knows Views".'
                    ),
                ),
                scopes=(Scope.SEARCH, Scope.READ),
                write=_explain_topic,
            ),
            PromptDefinition(
                name="study_plan",
                title="Make a study plan",
                description="Puts tutorials in an order that leads to a goal.",
                arguments=(
                    PromptArgument(
                        name="goal", description="What to be able to do.", required=True
                    ),
                    PromptArgument(name="hours_per_week", description="Time for learning."),
                    PromptArgument(name="known", description="What is known already."),
                ),
                scopes=(Scope.SEARCH, Scope.READ),
                write=_study_plan,
            ),
        )
    )
