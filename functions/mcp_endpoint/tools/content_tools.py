"""``search_tutorials`` and ``get_tutorial``: the site's content with the person's own account.

Never sees a token longer than one call to the site, and never decides who may read what: the
site does.
"""

from typing import Annotated, Literal, Protocol

from pydantic import Field

from functions.mcp_endpoint.tools import presentation
from functions.mcp_endpoint.tools.definitions import (
    ArgumentsInvalidError,
    ToolArguments,
    ToolDefinition,
    ToolResult,
)
from functions.mcp_endpoint.tools.kept_searches import KeptSearches
from functions.mcp_endpoint.tools.shown_content import ShownContent
from functions.mcp_endpoint.tools.site_requests import SiteRequests
from shared.circuit.retry_budget import Access
from shared.domain.content import Document, FoundPage, SearchPage, SearchQuery
from shared.domain.grants import AuthenticatedCall
from shared.domain.rate_limits import LimitName
from shared.domain.scopes import Scope

SEARCH_LIMIT_DEFAULT = 10
SEARCH_LIMIT_MAX = 50
SEARCH_OFFSET_MAX = 10_000
KEYWORDS_CHARACTERS_MAX = 200
CONTENT_ID_CHARACTERS_MAX = 200
FILTER_VALUES_MAX = 10

ContentType = Literal["tutorial", "topic", "course", "video", "guide"]
DrupalVersion = Annotated[str, Field(pattern=r"^[0-9]{1,2}$", description="Major version.")]
Category = Annotated[str, Field(min_length=1, max_length=100)]


class SearchArguments(ToolArguments):
    """Arguments of ``search_tutorials``."""

    query: str = Field(
        min_length=2,
        max_length=KEYWORDS_CHARACTERS_MAX,
        description="Words to search for.",
    )
    types: list[ContentType] = Field(
        default_factory=list,
        max_length=FILTER_VALUES_MAX,
        description="Kinds of content; leave out for the usual ones.",
    )
    drupal_versions: list[DrupalVersion] = Field(
        default_factory=list,
        max_length=FILTER_VALUES_MAX,
        description='Major Drupal versions, such as "10" or "11".',
    )
    categories: list[Category] = Field(
        default_factory=list, max_length=FILTER_VALUES_MAX, description="Names of categories."
    )
    sort: Literal["relevance", "created", "changed", "title"] = Field(
        default="relevance", description="Order of the results."
    )
    limit: int = Field(
        default=SEARCH_LIMIT_DEFAULT, ge=1, le=SEARCH_LIMIT_MAX, description="Results per answer."
    )
    offset: int = Field(
        default=0,
        ge=0,
        le=SEARCH_OFFSET_MAX,
        description="Results to skip: next_offset of the answer before.",
    )


class ReadArguments(ToolArguments):
    """Arguments of ``get_tutorial``."""

    id: str = Field(
        min_length=1,
        max_length=CONTENT_ID_CHARACTERS_MAX,
        description="The id of a search result.",
    )
    continue_from: int = Field(
        default=0,
        ge=0,
        description="Character to go on from: continue_from of the answer before.",
    )


class Content(Protocol):
    """The site's content."""

    async def search(
        self, query: SearchQuery, *, access_token: str, timeout_seconds: float
    ) -> SearchPage:
        """One page of results."""
        ...

    async def read(self, content_id: str, *, access_token: str, timeout_seconds: float) -> Document:
        """One document."""
        ...


class ContentTools:
    """Both tools, and what other views of the content need."""

    def __init__(
        self, requests: SiteRequests, content: Content, *, shown: ShownContent, kept: KeptSearches
    ) -> None:
        self._requests = requests
        self._content = content
        self._shown = shown
        self._kept = kept

    async def search(self, call: AuthenticatedCall, arguments: SearchArguments) -> ToolResult:
        """Search the site."""
        found = await self.find(call, arguments)
        return presentation.search_result(found, keywords=arguments.query)

    async def read(self, call: AuthenticatedCall, arguments: ReadArguments) -> ToolResult:
        """Read one document, or the next part of it."""
        document = await self.document(call, arguments.id)
        total = len(document.markdown)
        if arguments.continue_from >= max(total, 1):
            rule = f"Must be less than {max(total, 1)}, the length of this document."
            raise ArgumentsInvalidError((("continue_from", rule),))
        return presentation.document_result(document, start=arguments.continue_from)

    async def find(self, call: AuthenticatedCall, arguments: SearchArguments) -> FoundPage:
        """One page of results; what this search found before while the site's search is away."""
        query = SearchQuery(
            keywords=arguments.query,
            types=tuple(arguments.types),
            drupal_versions=tuple(arguments.drupal_versions),
            categories=tuple(arguments.categories),
            sort=None if arguments.sort == "relevance" else arguments.sort,
            limit=arguments.limit,
            offset=arguments.offset,
        ).normalised()

        async def ask_site() -> SearchPage:
            return await self._requests.run(
                call,
                lambda token, seconds: self._content.search(
                    query, access_token=token, timeout_seconds=seconds
                ),
                access=Access.READ,
            )

        page = await self._kept.search(call.grant.user_id, query, ask_site)
        return FoundPage(query=query, page=page)

    async def document(self, call: AuthenticatedCall, content_id: str) -> Document:
        """One document, whole; a copy that the person was shown while the site is away."""

        async def ask_site() -> Document:
            return await self._requests.run(
                call,
                lambda token, seconds: self._content.read(
                    content_id, access_token=token, timeout_seconds=seconds
                ),
                access=Access.READ,
            )

        return await self._shown.read(call.grant.user_id, content_id, ask_site)


def search_definition(tools: ContentTools) -> ToolDefinition:
    """The search tool's entry."""
    return ToolDefinition(
        name="search_tutorials",
        title="Search tutorials",
        description=(
            "Searches the site for tutorials, topics, courses, videos and guides. Returns title, "
            "summary, address and id of each result; read one with get_tutorial. If next_offset "
            "is present there are more results."
        ),
        scope=Scope.SEARCH,
        arguments=SearchArguments,
        output=presentation.SearchOutput,
        limit=LimitName.SEARCHES_BY_PERSON,
        run=tools.search,
    )


def read_definition(tools: ContentTools) -> ToolDefinition:
    """The reading tool's entry."""
    return ToolDefinition(
        name="get_tutorial",
        title="Read a tutorial",
        description=(
            "Reads one tutorial as Markdown, by the id of a search result. Long ones come in "
            "parts: if continue_from is present, call again with it for the next part. What a "
            "person can read depends on their membership."
        ),
        scope=Scope.READ,
        arguments=ReadArguments,
        output=presentation.DocumentOutput,
        limit=LimitName.READINGS_BY_PERSON,
        run=tools.read,
    )
