"""A site, and what is kept in tables, in memory: what is around the app in its own tests."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from functions.mcp_endpoint.tools.site_listing import ListingRules
from shared.domain.circuits import Dependency
from shared.domain.content import Document, SearchHit, SearchPage, SearchQuery
from shared.domain.grants import AuthenticatedCall
from shared.domain.health import DependencyHealth, DependencyState, HealthReport
from shared.domain.identifiers import (
    SessionId,
    UserId,
)
from shared.domain.site_tools import SiteToolList
from shared.upstream.drupal_tools import ListedTool

T = TypeVar("T")


class Site:
    """The site and the caller towards it; ``gate`` holds every call back until it is set."""

    def __init__(self) -> None:
        self.documents = {
            "7": Document(
                content_id="7",
                title="Write a plugin",
                url="https://site.example.org/tutorial/write-plugin",
                markdown="First paragraph.\n\nSecond paragraph.",
                bundle="tutorial",
                drupal_versions=("10", "11"),
            )
        }
        self.hits = tuple(
            SearchHit(
                content_id=str(number),
                title=f"Tutorial {number}",
                url=f"https://site.example.org/tutorial/{number}",
                bundle="tutorial",
                summary="What it is about.",
                drupal_versions=("11",),
                category="Plugins",
            )
            for number in range(1, 26)
        )
        self.queries: list[SearchQuery] = []
        self.tokens: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.patience: list[float] = []
        self.failure: Exception | None = None
        self.tools: list[ListedTool] = []
        self.listings = 0
        self.listed_for: list[tuple[str, float]] = []
        self.listing_failure: Exception | None = None
        self.tool_results: dict[str, Any] = {}
        self.tool_calls: list[tuple[str, dict[str, Any]]] = []

    async def run(self, call: AuthenticatedCall, request: Callable[[str], Awaitable[T]]) -> T:
        """The caller: with this person's token."""
        return await request(f"site token of {call.grant.subject}")

    async def search(
        self, query: SearchQuery, *, access_token: str, timeout_seconds: float
    ) -> SearchPage:
        """Every tutorial matches."""
        await self._enter(access_token, timeout_seconds)
        self.queries.append(query)
        hits = self.hits[query.offset : query.offset + query.limit]
        return SearchPage(hits=hits, total=len(self.hits), offset=query.offset)

    async def read(self, content_id: str, *, access_token: str, timeout_seconds: float) -> Document:
        """One of the documents."""
        await self._enter(access_token, timeout_seconds)
        return self.documents[content_id]

    async def list_tools(
        self, *, access_token: str, timeout_seconds: float
    ) -> tuple[ListedTool, ...]:
        """The tools of everybody."""
        self.listings += 1
        self.listed_for.append((access_token, timeout_seconds))
        if self.listing_failure is not None:
            raise self.listing_failure
        return tuple(self.tools)

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        access_token: str,
        timeout_seconds: float,
    ) -> Any:
        """What was prepared for the tool, else an echo."""
        await self._enter(access_token, timeout_seconds)
        self.tool_calls.append((name, dict(arguments)))
        return self.tool_results.get(name, {"called": name, "with": dict(arguments)})

    async def _enter(self, access_token: str, timeout_seconds: float) -> None:
        self.tokens.append(access_token)
        self.patience.append(timeout_seconds)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure


class Copies:
    """What people were shown, in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[UserId, str], Document] = {}
        self.pages: dict[tuple[UserId, SearchQuery], SearchPage] = {}
        self.outage: Exception | None = None

    async def find(self, user_id: UserId, content_id: str) -> Document | None:
        """What was kept."""
        if self.outage is not None:
            raise self.outage
        return self.kept.get((user_id, content_id))

    async def forget(self, user_id: UserId, content_id: str | None) -> None:
        """Drop it."""
        for key in [key for key in self.kept if key[0] == user_id]:
            if content_id in {None, key[1]}:
                del self.kept[key]

    async def find_search(
        self, user_id: UserId, query: SearchQuery, *, seconds_max: float
    ) -> SearchPage | None:
        """What was found, if it is no older."""
        if self.outage is not None:
            raise self.outage
        page = self.pages.get((user_id, query))
        return None if page is None or (page.age_seconds or 0) > seconds_max else page

    async def forget_searches(self, user_id: UserId) -> None:
        """Drop them."""
        for key in [key for key in self.pages if key[0] == user_id]:
            del self.pages[key]


async def a_readiness() -> HealthReport:
    """Nothing is looked at here."""
    return HealthReport(
        dependencies={Dependency.POSTGRES: DependencyHealth(state=DependencyState.OK)}
    )


class Lists:
    """Lists of the site's tools, in memory."""

    def __init__(self) -> None:
        self.kept: dict[UserId, SiteToolList] = {}
        self.outage: Exception | None = None

    async def find(self, user_id: UserId) -> SiteToolList | None:
        """What was kept."""
        if self.outage is not None:
            raise self.outage
        return self.kept.get(user_id)

    async def store(self, user_id: UserId, listed: SiteToolList) -> None:
        """Keep it."""
        if self.outage is not None:
            raise self.outage
        self.kept[user_id] = listed


class Abilities:
    """What clients said of themselves, in memory."""

    def __init__(self) -> None:
        self.kept: dict[SessionId, bool] = {}
        self.outage: Exception | None = None

    async def remember(self, session_id: SessionId, *, url_elicitation: bool) -> None:
        """Keep it."""
        if self.outage is not None:
            raise self.outage
        self.kept[session_id] = url_elicitation

    async def url_elicitation(self, session_id: SessionId) -> bool:
        """What was kept."""
        if self.outage is not None:
            raise self.outage
        return self.kept.get(session_id, False)


RULES = ListingRules(
    own_names=frozenset({"search_tutorials", "get_tutorial", "search", "fetch", "account_status"}),
    wrapped_methods=frozenset({"dme_mcp.search_content", "tutorial.get"}),
    site_scopes=frozenset({"tutorial:read", "tutorial:search", "member"}),
)
