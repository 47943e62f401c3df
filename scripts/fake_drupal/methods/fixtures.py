"""Methods that fail in every recorded way, and the module's example methods.

Only for sites built with ``fixture_methods``; never part of a demo.
"""

from collections.abc import Mapping

from scripts.fake_drupal.accounts import READ_CONTENT, READ_MEMBER_CONTENT
from scripts.fake_drupal.bearer import Caller
from scripts.fake_drupal.rpc import (
    AuthLevel,
    JsonValue,
    RpcBrokenError,
    RpcError,
    RpcMethod,
    ToolNotes,
)
from scripts.fake_drupal.site import Site

Params = Mapping[str, JsonValue]


def boom(_: Site, __: Caller, ___: Params) -> JsonValue:
    """A database error that leaks."""
    raise RpcBrokenError("SQLSTATE[HY000]: General error secret-detail")


def fatal(_: Site, __: Caller, ___: Params) -> JsonValue:
    """A PHP type error."""
    raise RpcBrokenError("strlen(): Argument #1 ($string) must be of type string, array given")


def custom(_: Site, __: Caller, ___: Params) -> JsonValue:
    """An error code of the method's own."""
    raise RpcError({"k": "v"}, code=-32050, title="Custom")


def not_found(_: Site, __: Caller, ___: Params) -> JsonValue:
    """A domain error."""
    raise RpcError("Tutorial 99999 not found")


def null(_: Site, __: Caller, ___: Params) -> JsonValue:
    """A method without a result."""
    return None


def empty(_: Site, __: Caller, ___: Params) -> JsonValue:
    """An empty list."""
    return []


def bad_schema(_: Site, __: Caller, ___: Params) -> JsonValue:
    """A result that its own schema forbids."""
    return "not an object"


def slow(_: Site, __: Caller, ___: Params) -> JsonValue:
    """Slow only by a planned delay."""
    return {"ok": True}


def list_articles(site: Site, _: Caller, params: Params) -> JsonValue:
    """A page of items."""
    page = params.get("page")
    wanted = page if isinstance(page, dict) else {}
    limit = wanted.get("limit", 10)
    items = list(site.content.values())[: limit if isinstance(limit, int) else 10]
    return [
        {"nid": int(item.content_id), "title": item.title, "created": 1_700_000_000}
        for item in items
    ]


def to_markdown(site: Site, caller: Caller, params: Params) -> JsonValue:
    """One item as Markdown."""
    nid = str(params["nid"])
    item = site.content.get(nid)
    if item is None:
        raise RpcError(f"Node with ID {nid} not found")
    if item.member_only and READ_MEMBER_CONTENT not in caller.permissions:
        raise RpcError(f"Access denied to node {nid}")
    return f"# {item.title}\n\n{item.plain}"


def list_types(_: Site, __: Caller, ___: Params) -> JsonValue:
    """Content types."""
    return [{"id": "article", "label": "Article"}, {"id": "page", "label": "Basic page"}]


_FAILING = (
    ("fixture.boom", boom),
    ("fixture.fatal", fatal),
    ("fixture.custom", custom),
    ("fixture.notfound", not_found),
    ("fixture.null", null),
    ("fixture.empty", empty),
    ("fixture.badschema", bad_schema),
    ("fixture.slow", slow),
)

FIXTURE_METHODS: tuple[RpcMethod, ...] = (
    *(
        RpcMethod(
            name=name,
            description=(handler.__doc__ or "").strip(),
            handler=handler,
            tool=ToolNotes(title=name.partition(".")[2].title()),
        )
        for name, handler in _FAILING
    ),
    RpcMethod(
        name="examples.articles.list",
        description="Lists article nodes with optional pagination",
        handler=list_articles,
        permission=READ_CONTENT,
        params={
            "page": {
                "type": "object",
                "properties": {
                    "limit": {"type": "integer", "minimum": 0},
                    "offset": {"type": "integer", "minimum": 0},
                },
                "description": "Pagination parameters (offset and limit)",
            }
        },
        output={"type": "array"},
        tool=ToolNotes(
            title="List Articles", category="content", extra={"supports_pagination": True}
        ),
    ),
    RpcMethod(
        name="examples.article.toMarkdown",
        description="Retrieves an article node and formats it as markdown",
        handler=to_markdown,
        permission=READ_CONTENT,
        params={"nid": {"type": "integer", "minimum": 1, "description": "Node ID"}},
        required=("nid",),
        output={"type": "string"},
        tool=ToolNotes(
            title="Get Article as Markdown", category="content", extra={"returns": "markdown"}
        ),
    ),
    RpcMethod(
        name="examples.contentTypes.list",
        description="Lists all available content types",
        handler=list_types,
        permission=READ_CONTENT,
        output={"type": "array"},
        tool=ToolNotes(
            title="List Content Types",
            category="discovery",
            level=AuthLevel.REQUIRED,
            scopes=("tutorial:read", "tutorial:search"),
            auth_description="Requires content access",
        ),
    ),
)
