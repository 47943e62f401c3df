"""The caller's own things: who they are, their bookmarks; and a ping for everybody.

Never shows one person the account of another.
"""

from collections.abc import Mapping
from dataclasses import replace

from scripts.fake_drupal.accounts import ADMINISTER, MEMBER_ROLE, USE_JSONRPC
from scripts.fake_drupal.bearer import Caller
from scripts.fake_drupal.rpc import AuthLevel, JsonValue, RpcError, RpcMethod, ToolNotes
from scripts.fake_drupal.site import Site


def ping(site: Site, caller: Caller, _: Mapping[str, JsonValue]) -> JsonValue:
    """Who the site takes the caller for."""
    told: dict[str, JsonValue] = {"pong": True, "uid": caller.uid}
    if site.dialect.scope_claim_adds:
        told["roles"] = [*caller.roles, "authenticated"]
    return told


def me(_: Site, caller: Caller, __: Mapping[str, JsonValue]) -> JsonValue:
    """Name, roles and membership."""
    if caller.account is None:
        raise RpcError("There is no account behind this call")
    return {
        "uid": str(caller.uid),
        "name": caller.account.name,
        "roles": ["authenticated", *caller.roles],
        "membership": "active" if MEMBER_ROLE in caller.account.roles else "none",
    }


def bookmarks(_: Site, caller: Caller, __: Mapping[str, JsonValue]) -> JsonValue:
    """Ids of the bookmarked items."""
    return {"bookmarks": list(caller.account.bookmarks) if caller.account else []}


def add_bookmark(site: Site, caller: Caller, params: Mapping[str, JsonValue]) -> JsonValue:
    """Remember an item for the caller; not a user save, so tokens live on."""
    content_id = str(params["id"])
    if caller.account is None or content_id not in site.content:
        raise RpcError(f"Node with ID {content_id} not found")
    kept = tuple(dict.fromkeys((*caller.account.bookmarks, content_id)))
    site.store.accounts.put(str(caller.uid), replace(caller.account, bookmarks=kept))
    return {"bookmarks": list(kept)}


def administer(_: Site, __: Caller, ___: Mapping[str, JsonValue]) -> JsonValue:
    """Something for administrators only."""
    return {"administered": True}


ACCOUNT_METHODS: tuple[RpcMethod, ...] = (
    RpcMethod(
        name="public.ping",
        description="Public",
        handler=ping,
        tool=ToolNotes(title="Ping"),
    ),
    RpcMethod(
        name="user.me",
        description="Who is signed in, with roles and membership.",
        handler=me,
        permission=USE_JSONRPC,
        tool=ToolNotes(
            title="My account",
            category="account",
            level=AuthLevel.REQUIRED,
            scopes=("user:read",),
            extra={"supports_pagination": False},
        ),
    ),
    RpcMethod(
        name="user.bookmarks",
        description="List the signed-in person's bookmarks.",
        handler=bookmarks,
        permission=USE_JSONRPC,
        tool=ToolNotes(
            title="My bookmarks",
            category="account",
            level=AuthLevel.REQUIRED,
            scopes=("user:read",),
        ),
    ),
    RpcMethod(
        name="user.bookmark_add",
        description="Bookmark one item for the signed-in person.",
        handler=add_bookmark,
        permission=USE_JSONRPC,
        params={"id": {"type": ["string", "integer"], "description": "Content id"}},
        required=("id",),
        tool=ToolNotes(
            title="Add a bookmark",
            category="account",
            level=AuthLevel.REQUIRED,
            scopes=("user:write",),
        ),
    ),
    RpcMethod(
        name="admin.only",
        description="For administrators",
        handler=administer,
        permission=ADMINISTER,
        tool=ToolNotes(title="Admin only", category="admin", level=AuthLevel.REQUIRED),
    ),
)
