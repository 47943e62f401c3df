"""The site's content through its search and read methods, in our own words.

Tolerant of what is absent or odd in an answer: one bad item costs itself, never the page.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field, JsonValue, ValidationError

from shared.domain.content import Document, SearchHit, SearchPage, SearchQuery
from shared.upstream import failures
from shared.upstream.drupal_rpc import DrupalRpc
from shared.upstream.markdown import absolute_url, to_markdown, to_text
from shared.upstream.wire import OptionalNumber, OptionalText, Texts, WireModel, Words

_BODY_MEMBERS = ("content", "body", "markdown", "text")
_RESULT_MEMBERS = ("results", "items", "hits")


def _body(value: object) -> str:
    """A text, or one of Drupal's text fields, whose processed form is what people see."""
    if isinstance(value, Mapping):
        value = value.get("processed") or value.get("value")
    if isinstance(value, list) and value:
        return _body(value[0])
    return value if isinstance(value, str) else ""


class _Item(WireModel):
    """Members that a search result and a document share; only the id must be there."""

    content_id: OptionalText = Field(
        default=None, validation_alias=AliasChoices("id", "nid", "uuid", "content_id")
    )
    title: OptionalText = None
    url: OptionalText = None
    bundle: OptionalText = Field(default=None, validation_alias=AliasChoices("bundle", "type"))
    summary: OptionalText = None
    excerpt: OptionalText = None
    score: OptionalNumber = None
    drupal_version: Words = ()
    category: Texts = ()
    author: OptionalText = None
    created: OptionalText = None
    updated: OptionalText = Field(default=None, validation_alias=AliasChoices("updated", "changed"))
    body: Annotated[str, BeforeValidator(_body)] = Field(
        default="", validation_alias=AliasChoices(*_BODY_MEMBERS)
    )


class DrupalContent:
    """Search and reading. The two methods' names are the site's and can be configured."""

    def __init__(self, rpc: DrupalRpc, *, search_method: str, read_method: str) -> None:
        self._rpc = rpc
        self._search_method = search_method
        self._read_method = read_method
        self._base_url = rpc.site.base_url

    async def search(
        self, query: SearchQuery, *, access_token: str, timeout_seconds: float
    ) -> SearchPage:
        """One page of results.

        Raises:
            SearchUnavailableError: the search engine is away; reading may still work.
            ServiceError: as ``DrupalRpc.call``.
        """
        result = await self._rpc.call(
            self._search_method,
            _search_params(query),
            access_token=access_token,
            timeout_seconds=timeout_seconds,
        )
        return self._page(result, query)

    async def read(self, content_id: str, *, access_token: str, timeout_seconds: float) -> Document:
        """One item by its id, its body as Markdown.

        Raises:
            ContentNotFoundError: there is no such item for this person.
            AccessForbiddenError: there is, but the subscription does not cover it.
            ServiceError: as ``DrupalRpc.call``.
        """
        try:
            result = await self._rpc.call(
                self._read_method,
                {"id": content_id},
                access_token=access_token,
                timeout_seconds=timeout_seconds,
            )
        except failures.SearchUnavailableError as error:
            # "Reading still works" would be no advice here.
            raise failures.UpstreamUnavailableError(error.facts) from error
        if isinstance(result, str):
            result = {"body": result}
        if not isinstance(result, dict) or not result:
            raise failures.ContentNotFoundError({"rule": "empty_result"})
        return self._document(content_id, result)

    def _page(self, result: JsonValue, query: SearchQuery) -> SearchPage:
        total: JsonValue = None
        items: JsonValue = result
        if isinstance(result, dict):
            total = result.get("total")
            items = next((result[name] for name in _RESULT_MEMBERS if name in result), None)
        if isinstance(items, dict):  # PHP's array with holes
            items = list(items.values())
        if not isinstance(items, list):
            raise failures.UpstreamAnswerInvalidError({"rule": "search_result"})
        hits = tuple(hit for item in items[: query.limit] if (hit := self._hit(item)) is not None)
        known = total if isinstance(total, int) and not isinstance(total, bool) else 0
        return SearchPage(
            hits=hits, total=max(known, query.offset + len(hits)), offset=query.offset
        )

    def _hit(self, raw: JsonValue) -> SearchHit | None:
        item = _item(raw)
        if item is None or item.content_id is None:
            return None
        summary = to_text(item.summary or item.excerpt or "")
        return SearchHit(
            content_id=item.content_id,
            title=to_text(item.title or "") or item.content_id,
            url=absolute_url(item.url or f"/node/{item.content_id}", base_url=self._base_url),
            bundle=item.bundle,
            summary=summary or None,
            score=item.score,
            drupal_versions=item.drupal_version,
            category=", ".join(item.category) or None,
        )

    def _document(self, content_id: str, raw: dict[str, JsonValue]) -> Document:
        item = _item(raw)
        if item is None:
            raise failures.UpstreamAnswerInvalidError({"rule": "document"})
        known_id = item.content_id or content_id
        return Document(
            content_id=known_id,
            title=to_text(item.title or "") or known_id,
            url=absolute_url(item.url or f"/node/{known_id}", base_url=self._base_url),
            markdown=to_markdown(item.body, base_url=self._base_url),
            bundle=item.bundle,
            summary=to_text(item.summary or item.excerpt or "") or None,
            author=item.author,
            created=item.created,
            updated=item.updated,
            drupal_versions=item.drupal_version,
            category=", ".join(item.category) or None,
        )


def _item(raw: JsonValue) -> _Item | None:
    try:
        return _Item.model_validate(raw)
    except ValidationError:
        return None


def _search_params(query: SearchQuery) -> dict[str, JsonValue]:
    """Only what was asked: the site has defaults for the rest."""
    params: dict[str, JsonValue] = {
        "keywords": query.keywords,
        "page": {"limit": query.limit, "offset": query.offset},
    }
    optional: dict[str, JsonValue] = {
        "types": list(query.types),
        "drupal_version": list(query.drupal_versions),
        "category": list(query.categories),
        "sort": query.sort,
    }
    params.update({name: value for name, value in optional.items() if value})
    return params
