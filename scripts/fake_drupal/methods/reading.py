"""Reading one item, and the lists that lead to items.

Never gives a members' text to anybody without the permission for it.
"""

from collections.abc import Mapping

from scripts.fake_drupal.accounts import READ_CONTENT, READ_MEMBER_CONTENT
from scripts.fake_drupal.bearer import Caller
from scripts.fake_drupal.rpc import AuthLevel, JsonValue, RpcError, RpcMethod, ToolNotes
from scripts.fake_drupal.site import Site


def get_tutorial(site: Site, caller: Caller, params: Mapping[str, JsonValue]) -> JsonValue:
    """One item with its whole body as HTML."""
    content_id = str(params["id"])
    item = site.content.get(content_id)
    if item is None:
        raise RpcError(f"Node with ID {content_id} not found")
    if item.member_only and READ_MEMBER_CONTENT not in caller.permissions:
        raise RpcError(f"Access denied to node {content_id}")
    return {
        "id": item.content_id,
        "bundle": item.bundle,
        "title": item.title,
        "summary": item.summary,
        "body": item.html,
        "url": caller.origin + item.path,
        "author": item.author,
        "created": item.created,
        "updated": item.updated,
        "drupal_version": list(item.drupal_versions),
        "category": item.category,
    }


def list_categories(site: Site, _: Caller, __: Mapping[str, JsonValue]) -> JsonValue:
    """Categories with the number of items in each."""
    counts: dict[str, int] = {}
    for item in site.content.values():
        counts[item.category] = counts.get(item.category, 0) + 1
    return [{"name": name, "items": counts[name]} for name in sorted(counts)]


def list_guides(site: Site, caller: Caller, _: Mapping[str, JsonValue]) -> JsonValue:
    """Guides and courses."""
    return [
        {
            "id": item.content_id,
            "title": item.title,
            "url": caller.origin + item.path,
            "summary": item.summary,
        }
        for item in site.content.values()
        if item.bundle in ("guide", "course")
    ]


READING_METHODS: tuple[RpcMethod, ...] = (
    RpcMethod(
        name="tutorial.get",
        description="Get one tutorial with its body.",
        handler=get_tutorial,
        permission=READ_CONTENT,
        params={"id": {"type": ["string", "integer"], "description": "Content id"}},
        required=("id",),
        tool=ToolNotes(
            title="Get a tutorial",
            category="content",
            level=AuthLevel.REQUIRED,
            scopes=("tutorial:read",),
            extra={"returns": "html"},
        ),
    ),
    RpcMethod(
        name="category.list",
        description="List the categories of the library.",
        handler=list_categories,
        permission=READ_CONTENT,
        output={"type": "array"},
        tool=ToolNotes(title="List categories", category="discovery", level=AuthLevel.OPTIONAL),
    ),
    RpcMethod(
        name="guide.list",
        description="List guides and courses, in learning order.",
        handler=list_guides,
        permission=READ_CONTENT,
        output={"type": "array"},
        tool=ToolNotes(title="List guides", category="discovery", level=AuthLevel.OPTIONAL),
    ),
)
