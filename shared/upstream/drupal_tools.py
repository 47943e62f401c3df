"""The tools that the site lists for a person, and calls of them (module jsonrpc_mcp).

Lists with the person's own token only: the list is theirs. Never asks for a single description:
the site caches its first error and serves it for every name from then on.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.observability.spans import SpanName
from shared.upstream import failures
from shared.upstream.classification import protected_failure
from shared.upstream.drupal_rpc import RPC_PATH, DrupalRpc
from shared.upstream.transport import observed

LIST_PATH = "/mcp/tools/list"
CALL_PATH = "/mcp/tools/"
PAGES_MAX = 20
"""Of 50 tools each, as the module is made; more would be no list that a model can choose from."""

_RESERVED = frozenset({"list", "describe", "invoke", ".", ".."})


class SiteToolGoneError(ServiceError):
    """The site does not know this tool (any more), or not for this person."""

    code = ErrorCode.TOOL_UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTool:
    """One item of the list as the site sent it; nothing of it is checked but the name's type."""

    name: str
    title: object = None
    description: object = None
    input_schema: object = None
    annotations: Mapping[str, Any] = field(default_factory=dict)


class DrupalTools:
    """The site's tool list and its tools."""

    def __init__(self, rpc: DrupalRpc) -> None:
        self._rpc = rpc

    async def list_tools(
        self, *, access_token: str, timeout_seconds: float
    ) -> tuple[ListedTool, ...]:
        """Every tool of the person with this token, over all pages, in the site's order.

        ``timeout_seconds`` is for all pages together.

        Raises:
            AccessForbiddenError: the person may not see the list.
            UpstreamMisconfiguredError: the site has no such list.
            ServiceError: as ``DrupalRpc.call``.
        """
        tools: list[ListedTool] = []
        cursors: list[str | None] = [None]
        deadline = time.monotonic() + timeout_seconds
        with observed(SpanName.UPSTREAM_RPC, "list_tools"):
            while len(cursors) <= PAGES_MAX:
                page = await self._page(
                    cursors[-1], access_token=access_token, timeout_seconds=_left(deadline)
                )
                tools += _items(page.get("tools"))
                following = page.get("nextCursor")
                if not isinstance(following, str) or not following or following in cursors:
                    break
                cursors.append(following)
        return tuple(tools)

    async def _page(
        self, cursor: str | None, *, access_token: str, timeout_seconds: float
    ) -> Mapping[str, Any]:
        query = {"_format": "json", **({"cursor": cursor} if cursor else {})}
        answer = await self._rpc.get(
            f"{LIST_PATH}?{urlencode(query)}",
            access_token=access_token,
            timeout_seconds=timeout_seconds,
        )
        failure = protected_failure(answer)
        if failure is not None:
            raise failure
        page = answer.json_object
        if answer.status != 200 or page is None or "tools" not in page:
            raise failures.UpstreamAnswerInvalidError({"rule": "tool_list"})
        return page

    async def call(
        self,
        name: str,
        arguments: Mapping[str, JsonValue],
        *,
        access_token: str,
        timeout_seconds: float,
    ) -> JsonValue:
        """The result of a tool, by the site's name for it.

        Goes through the tool's own address, where the site checks the scopes that the tool asks
        for. Addresses exist for the tools of whoever built the site's routes last, so a tool
        without one is called through the common address; nothing has run by then.

        Raises:
            SiteToolGoneError: the site does not know it.
            InsufficientUpstreamScopeError: our client at the site lacks a scope.
            ServiceError: as ``DrupalRpc.call``.
        """
        own_path = _path_of(name)
        try:
            if own_path is not None:
                return await self._called(
                    own_path, name, arguments, access_token, timeout_seconds=timeout_seconds
                )
        except failures.UpstreamMisconfiguredError as error:
            if not _is_without_route(error):
                raise SiteToolGoneError(error.facts) from error
        try:
            return await self._called(
                RPC_PATH, name, arguments, access_token, timeout_seconds=timeout_seconds
            )
        except failures.UpstreamMisconfiguredError as error:
            if _is_without_route(error):
                raise  # the site has no JSON-RPC at all
            raise SiteToolGoneError(error.facts) from error

    async def _called(
        self,
        path: str,
        name: str,
        arguments: Mapping[str, JsonValue],
        access_token: str,
        *,
        timeout_seconds: float,
    ) -> JsonValue:
        return await self._rpc.call(
            name,
            arguments,
            access_token=access_token,
            timeout_seconds=timeout_seconds,
            path=path,
            operation="site_tool",
        )


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise failures.UpstreamTimeoutError({"waited_for": "tool_list"}, sent=False)
    return seconds


def _is_without_route(error: ServiceError) -> bool:
    return error.facts.get("rule") == "no_such_route"


def _path_of(name: str) -> str | None:
    """The address of a tool; None for a name that would lead elsewhere."""
    if name in _RESERVED or "/" in name or "\\" in name:
        return None
    return f"{CALL_PATH}{quote(name, safe='')}?_format=json"


def _items(items: object) -> list[ListedTool]:
    if isinstance(items, Mapping):  # PHP's array with holes
        items = list(items.values())
    if not isinstance(items, list):
        raise failures.UpstreamAnswerInvalidError({"rule": "tool_list"})
    return [tool for item in items if (tool := _listed(item)) is not None]


def _listed(item: object) -> ListedTool | None:
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        return None
    annotations = item.get("annotations")
    return ListedTool(
        name=item["name"],
        title=item.get("title"),
        description=item.get("description"),
        input_schema=item.get("inputSchema"),
        annotations=annotations if isinstance(annotations, Mapping) else {},
    )
