"""``/mcp/tools/*``: the tool list, the descriptions that get stuck, and calls by tool name.

Reproduces the module's defects: no tie between tool and body, poisoned descriptions.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from starlette.responses import Response

from scripts.fake_drupal.accounts import DISCOVER_TOOLS
from scripts.fake_drupal.answers import html, json_answer
from scripts.fake_drupal.bearer import Caller, identify, require
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.jsonrpc import execute_body
from scripts.fake_drupal.methods import methods_of
from scripts.fake_drupal.pages import not_found, wrong_method
from scripts.fake_drupal.rpc import AuthLevel, JsonValue, RpcMethod, ToolNotes
from scripts.fake_drupal.site import Site

PREFIX = "/mcp/tools/"
RESERVED = frozenset({"invoke"})


def list_endpoint(site: Site, call: Call) -> Response:
    """``/mcp/tools/list``: one page of the tools that the caller may use."""
    caller = identify(site, call)
    require(site, call, caller, DISCOVER_TOOLS)
    tools: list[JsonValue] = [_listed(site, method) for method in visible_tools(site, caller)]
    tools += site.behaviours.tools_listed_too
    start, size = _offset(call.query.get("cursor")), site.behaviours.tools_page_size
    following = b64encode(str(start + size).encode()).decode()
    more = following if start + size < len(tools) else None
    return json_answer({"tools": tools[start : start + size], "nextCursor": more})


def visible_tools(site: Site, caller: Caller) -> list[RpcMethod]:
    """The methods that are tools and that the caller may use."""
    return [
        method
        for method in methods_of(site)
        if method.tool is not None and method.visible_to(caller)
    ]


def _offset(cursor: str | None) -> int:
    try:
        return max(0, int(b64decode(cursor or "MA==")))
    except (ValueError, Base64Error):
        return 0


def _listed(site: Site, method: RpcMethod) -> dict[str, JsonValue]:
    # PHP writes an empty map as a list; clients have to live with it.
    properties: JsonValue = dict(method.params) if method.params else []
    schema: dict[str, JsonValue] = {"type": "object", "properties": properties}
    if method.required:
        schema["required"] = list(method.required)
    item: dict[str, JsonValue] = {
        "name": method.listed_name,
        "description": method.description,
        "inputSchema": schema,
        "outputSchema": dict(method.output),
    }
    if method.tool is None:
        return item
    item["title"] = method.tool.title
    annotations = _annotations(site, method.tool)
    return {**item, "annotations": annotations} if annotations else item


def _annotations(site: Site, tool: ToolNotes) -> dict[str, JsonValue]:
    annotations: dict[str, JsonValue] = dict(tool.extra)
    if tool.category:
        annotations["category"] = tool.category
    if tool.level or tool.scopes:
        auth: dict[str, JsonValue] = {"level": _level(tool).value}
        if tool.scopes:
            auth["scopes"] = list(_scopes(site, tool))
        if tool.auth_description:
            auth["description"] = tool.auth_description
        annotations["auth"] = auth
    return annotations


def _level(tool: ToolNotes) -> AuthLevel:
    """A missing level means required where scopes are named, else none."""
    return tool.level or (AuthLevel.REQUIRED if tool.scopes else AuthLevel.NONE)


def _scopes(site: Site, tool: ToolNotes) -> tuple[str, ...]:
    return tuple(site.dialect.tool_scopes.get(scope, scope) for scope in tool.scopes)


def describe_endpoint(site: Site, call: Call) -> Response:
    """``/mcp/tools/describe``: the first error is cached and then served for every name."""
    caller = identify(site, call)
    require(site, call, caller, DISCOVER_TOOLS)
    if site.caches.describe_error is not None:
        status, members = site.caches.describe_error
        response = json_answer(members, status=status)
        response.headers["X-Drupal-Dynamic-Cache"] = "HIT"
        return response
    name = call.query.get("name")
    for method in visible_tools(site, caller):
        if method.listed_name == name:
            return json_answer({"tool": _listed(site, method)})
    site.caches.describe_error = status, members = _describe_error(name)
    return json_answer(members, status=status)


def _describe_error(name: str | None) -> tuple[int, dict[str, object]]:
    if name is None:
        text = 'Required parameter "name" is missing'
        return 400, {"error": {"code": "missing_parameter", "message": text}}
    text = f"Tool '{name}' not found or access denied"
    return 404, {"error": {"code": "tool_not_found", "message": text}}


def call_endpoint(site: Site, call: Call) -> Response:
    """``/mcp/tools/{name}``: checks level and scopes, then executes whatever is asked."""
    name = call.path.removeprefix(PREFIX)
    caller = identify(site, call)
    method = next((tool for tool in _tools_with_route(site) if tool.listed_name == name), None)
    if method is None or method.tool is None or name in RESERVED:
        return not_found(site, call)
    refused = _refused(site, method.tool, caller)
    if refused is not None:
        return refused
    if call.method not in ("GET", "POST"):
        return wrong_method(site, "GET, POST, HEAD")
    body = call.body if call.method == "POST" else call.query.get("query", "").encode()
    return execute_body(site, caller, body)


def _tools_with_route(site: Site) -> list[RpcMethod]:
    """Routes exist for the tools that an ordinary account may use."""
    ordinary = Caller(account=None, permissions=site.permissions(site.store.account(2)))
    return visible_tools(site, ordinary)


def _refused(site: Site, tool: ToolNotes, caller: Caller) -> Response | None:
    if _level(tool) is not AuthLevel.REQUIRED:
        return None
    realm = 'Bearer realm="MCP Tools"'
    if caller.token is None:
        return html("", status=401, headers={"WWW-Authenticate": realm})
    missing = " ".join(scope for scope in _scopes(site, tool) if scope not in caller.scopes)
    if not missing:
        return None
    challenge = f'{realm}, error="insufficient_scope", scope="{missing}"'
    return html("", status=403, headers={"WWW-Authenticate": challenge})
