"""``search`` and ``fetch``: the content tools in the one shape that ChatGPT's connectors take.

One string argument each, and the same JSON as text and as structured content. Never finds or
reads anything by itself: both are views of the content tools.
"""

import json

from pydantic import Field

from functions.mcp_endpoint.tools.content_tools import (
    CONTENT_ID_CHARACTERS_MAX,
    KEYWORDS_CHARACTERS_MAX,
    ContentTools,
    SearchArguments,
)
from functions.mcp_endpoint.tools.definitions import (
    ToolArguments,
    ToolDefinition,
    ToolOutput,
    ToolResult,
)
from functions.mcp_endpoint.tools.presentation import age_notice, copy_notice
from shared.domain.content import Document
from shared.domain.grants import AuthenticatedCall
from shared.domain.rate_limits import LimitName
from shared.domain.scopes import Scope
from shared.domain.usage import searched

QUESTION_CHARACTERS_MAX = 2_000
TEXT_CHARACTERS_MAX = 60_000
"""The text travels twice, and some clients cut a result at 150 000 characters."""


class ConnectorSearchArguments(ToolArguments):
    """Arguments of ``search``."""

    query: str = Field(
        min_length=2, max_length=QUESTION_CHARACTERS_MAX, description="What to look for."
    )


class ConnectorFetchArguments(ToolArguments):
    """Arguments of ``fetch``."""

    id: str = Field(
        min_length=1,
        max_length=CONTENT_ID_CHARACTERS_MAX,
        description="Id of a search result.",
    )


class ConnectorHit(ToolOutput):
    """One result."""

    id: str
    title: str
    url: str


class ConnectorSearchOutput(ToolOutput):
    """Structured content of ``search``."""

    results: list[ConnectorHit]
    notice: str | None = Field(
        default=None, description="Present if the results were kept: how old, and why."
    )


class ConnectorDocument(ToolOutput):
    """Structured content of ``fetch``."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str] = Field(description="What else is known, by name.")


class ConnectorTools:
    """Both tools over the content tools."""

    def __init__(self, content: ContentTools) -> None:
        self._content = content

    async def search(
        self, call: AuthenticatedCall, arguments: ConnectorSearchArguments
    ) -> ToolResult:
        """Search the site."""
        query = SearchArguments(query=_keywords(arguments.query))
        found = await self._content.find(call, query)
        page = found.page
        output = ConnectorSearchOutput(
            results=[
                ConnectorHit(id=hit.content_id, title=hit.title, url=hit.url) for hit in page.hits
            ],
            notice=None if page.age_seconds is None else age_notice(page),
        )
        return ToolResult(
            text=_as_text(output),
            structured=output,
            result_count=len(output.results),
            searched=searched(arguments.query, page),
            found=found if page.age_seconds is None else None,
        )

    async def fetch(
        self, call: AuthenticatedCall, arguments: ConnectorFetchArguments
    ) -> ToolResult:
        """Read one document."""
        document = await self._content.document(call, arguments.id)
        output = ConnectorDocument(
            id=document.content_id,
            title=document.title,
            text=document.markdown[:TEXT_CHARACTERS_MAX],
            url=document.url,
            metadata=_metadata(document),
        )
        return ToolResult(
            text=_as_text(output),
            structured=output,
            content_id=document.content_id,
            result_count=1,
            shown=document if document.age_seconds is None else None,
        )


def _keywords(question: str) -> str:
    """As many of the question's words as the site takes."""
    if len(question) <= KEYWORDS_CHARACTERS_MAX:
        return question
    head, _, rest = question[: KEYWORDS_CHARACTERS_MAX + 1].rpartition(" ")
    return head.strip() or rest[:KEYWORDS_CHARACTERS_MAX]


def _metadata(document: Document) -> dict[str, str]:
    """Texts only: that is all that every client takes."""
    known = {
        "type": document.bundle,
        "summary": document.summary,
        "author": document.author,
        "created": document.created,
        "updated": document.updated,
        "drupal_versions": ", ".join(document.drupal_versions),
        "category": document.category,
    }
    total = len(document.markdown)
    if document.age_seconds is not None:
        known["copy"] = copy_notice(document.age_seconds).removeprefix("> ")
    if total > TEXT_CHARACTERS_MAX:
        known["truncated"] = (
            f"The text has {total} characters. For the rest call get_tutorial with the same id "
            f"and continue_from {TEXT_CHARACTERS_MAX}."
        )
    return {name: value for name, value in known.items() if value}


def _as_text(output: ToolOutput) -> str:
    return json.dumps(output.model_dump(mode="json", exclude_none=True), ensure_ascii=False)


def connector_search_definition(tools: ConnectorTools) -> ToolDefinition:
    """The entry of ``search``."""
    return ToolDefinition(
        name="search",
        title="Search",
        description=(
            "Searches the site and returns id, title and address of each result, for fetch. "
            "search_tutorials offers filters, summaries and more results."
        ),
        scope=Scope.SEARCH,
        arguments=ConnectorSearchArguments,
        output=ConnectorSearchOutput,
        limit=LimitName.SEARCHES_BY_PERSON,
        run=tools.search,
    )


def connector_fetch_definition(tools: ConnectorTools) -> ToolDefinition:
    """The entry of ``fetch``."""
    return ToolDefinition(
        name="fetch",
        title="Fetch",
        description="Returns the whole text of one search result, by its id.",
        scope=Scope.READ,
        arguments=ConnectorFetchArguments,
        output=ConnectorDocument,
        limit=LimitName.READINGS_BY_PERSON,
        run=tools.fetch,
    )
