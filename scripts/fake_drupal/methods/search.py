"""Search: the site's own method, and the plain one of the recordings.

Never returns the whole of a members' text to somebody who is not one.
"""

from collections.abc import Iterable, Mapping

from scripts.fake_drupal.accounts import READ_MEMBER_CONTENT, SEARCH_CONTENT
from scripts.fake_drupal.bearer import Caller
from scripts.fake_drupal.behaviours import SearchOutage
from scripts.fake_drupal.content.catalogue import ContentItem
from scripts.fake_drupal.content.ranking import keywords_of, score
from scripts.fake_drupal.rpc import AuthLevel, JsonValue, RpcBrokenError, RpcMethod, ToolNotes
from scripts.fake_drupal.site import Site

BUNDLES = ("tutorial", "topic", "course", "video", "guide")
DEFAULT_BUNDLES = ("tutorial", "topic", "course")
LIMIT_MAX = 100
LIMIT_DEFAULT = 10
EXCERPT_LETTERS = 240

OUTAGE_TEXTS = {
    SearchOutage.UNREACHABLE: (
        "Solr endpoint http://solr.internal.example:8983/ unreachable or returned unexpected "
        "response code (code: 0, body: , message: Solr HTTP error: connection refused)."
    ),
    SearchOutage.INTERNAL_ERROR: (
        "Solr endpoint http://solr.internal.example:8983/ internal Solr server error "
        "(code: 500, body: , message: Internal Server Error)."
    ),
}


def _check_outage(site: Site) -> None:
    if site.behaviours.search_outage is not None:
        raise RpcBrokenError(OUTAGE_TEXTS[site.behaviours.search_outage])


def _words(value: JsonValue) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else []


def _matching(site: Site, params: Mapping[str, JsonValue]) -> list[tuple[float, ContentItem]]:
    keywords = keywords_of(str(params["keywords"]))
    bundles = _words(params.get("types")) or list(DEFAULT_BUNDLES)
    versions = set(_words(params.get("drupal_version")))
    categories = {name.lower() for name in _words(params.get("category"))}
    found = [
        (score(item, keywords), item)
        for item in site.content.values()
        if item.bundle in bundles
        and (not versions or versions & set(item.drupal_versions))
        and (not categories or item.category.lower() in categories)
    ]
    return _sorted((pair for pair in found if pair[0] > 0), params.get("sort"))


def _sorted(
    found: Iterable[tuple[float, ContentItem]], sort: JsonValue
) -> list[tuple[float, ContentItem]]:
    if sort == "title":
        return sorted(found, key=lambda pair: pair[1].title)
    if sort == "created":
        return sorted(found, key=lambda pair: pair[1].created, reverse=True)
    if sort == "changed":
        return sorted(found, key=lambda pair: pair[1].updated, reverse=True)
    return sorted(found, key=lambda pair: (-pair[0], int(pair[1].content_id)))


def _hit(relevance: float, item: ContentItem, caller: Caller) -> dict[str, JsonValue]:
    readable = not item.member_only or READ_MEMBER_CONTENT in caller.permissions
    return {
        "score": relevance,
        "id": item.content_id,
        "bundle": item.bundle,
        "title": item.title,
        "summary": item.summary,
        "excerpt": " ".join(item.plain.split())[:EXCERPT_LETTERS] if readable else "",
        "content": item.teaser if readable else f"<p>{item.summary}</p>",
        "url": caller.origin + item.path,
        "author": item.author,
        "created": item.created,
        "updated": item.updated,
        "drupal_version": list(item.drupal_versions),
        "category": item.category,
    }


def search_content(site: Site, caller: Caller, params: Mapping[str, JsonValue]) -> JsonValue:
    """The site's search: one page of hits, the total, and counts by category."""
    _check_outage(site)
    found = _matching(site, params)
    page = params.get("page")
    wanted = page if isinstance(page, dict) else {}
    limit, offset = wanted.get("limit", LIMIT_DEFAULT), wanted.get("offset", 0)
    start = offset if isinstance(offset, int) else 0
    size = limit if isinstance(limit, int) else LIMIT_DEFAULT
    hits: list[JsonValue] = [_hit(*pair, caller) for pair in found[start : start + size]]
    categories: dict[str, JsonValue] = {}
    for _, item in found:
        count = categories.get(item.category, 0)
        categories[item.category] = count + 1 if isinstance(count, int) else 1
    return {"results": hits, "total": len(found), "facets": {"category": categories}}


def plain_search(site: Site, caller: Caller, params: Mapping[str, JsonValue]) -> JsonValue:
    """``content.search`` in the shape in which it was recorded."""
    _check_outage(site)
    keywords = keywords_of(str(params["query"]))
    limit = params.get("limit", LIMIT_DEFAULT)
    found = [item for item in site.content.values() if score(item, keywords) > 0]
    shown = found[: limit if isinstance(limit, int) else LIMIT_DEFAULT]
    hits: list[JsonValue] = [
        {"nid": int(item.content_id), "title": item.title, "url": caller.origin + item.path}
        for item in shown
    ]
    return {"results": hits, "total": len(hits)}


def _array(items: dict[str, JsonValue], description: str) -> dict[str, JsonValue]:
    return {"type": "array", "items": items, "description": description}


SEARCH_METHODS: tuple[RpcMethod, ...] = (
    RpcMethod(
        name="dme_mcp.search_content",
        tool_name="dme_mcp-search_content",
        description="Search the learning library by keywords.",
        handler=search_content,
        permission=SEARCH_CONTENT,
        params={
            "keywords": {"type": "string", "minLength": 2, "description": "Words to look for"},
            "types": _array(
                {"type": "string", "enum": list(BUNDLES)}, "Kinds of content to look at"
            ),
            "drupal_version": _array(
                {"type": "string", "enum": ["9", "10", "11"]}, "Drupal versions"
            ),
            "category": _array({"type": "string"}, "Categories"),
            "sort": {
                "type": "string",
                "enum": ["search_api_relevance", "created", "changed", "title"],
            },
            "page": {
                "type": "object",
                "properties": {
                    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX},
                    "offset": {"type": "integer", "minimum": 0},
                },
            },
        },
        required=("keywords",),
        output={
            "type": "object",
            "properties": {"results": {"type": "array"}, "total": {"type": "integer"}},
        },
        tool=ToolNotes(
            title="Search content",
            category="content",
            level=AuthLevel.REQUIRED,
            scopes=("tutorial:search",),
            extra={"supports_pagination": True},
        ),
    ),
    RpcMethod(
        name="content.search",
        description="Search tutorials",
        handler=plain_search,
        permission=SEARCH_CONTENT,
        params={
            "query": {"type": "string", "minLength": 1, "description": "Keywords"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "Max"},
        },
        required=("query",),
        output={
            "type": "object",
            "properties": {"results": {"type": "array"}, "total": {"type": "integer"}},
        },
        tool=ToolNotes(
            title="Search Tutorials",
            category="content",
            level=AuthLevel.REQUIRED,
            scopes=("tutorial:read",),
        ),
    ),
)
