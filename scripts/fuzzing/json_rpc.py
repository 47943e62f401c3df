"""Requests to the MCP endpoint: right ones, nearly right ones, and others."""

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st

from scripts.fuzzing import oddities
from scripts.fuzzing.exchange import HeaderLines, Request
from shared.settings import McpEndpointFunctionSettings

BODY_BYTES_MAX: Final[int] = McpEndpointFunctionSettings.model_fields[
    "request_body_bytes_max"
].default
VERSIONS: Final = ("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")

_METHODS: Final = (
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "completion/complete",
    "logging/setLevel",
    "subscriptions/listen",
    "tasks/get",
    "sampling/createMessage",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
)
_COSTLY: Final = ("tools/call", "tools/call", "resources/read", "prompts/get")
"""They reach the site and the database: asked more often."""
_NAMES: Final = (
    "search_tutorials",
    "get_tutorial",
    "account_status",
    "search",
    "fetch",
    "explain_topic",
    "study_plan",
    "tutorial",
)
_ARGUMENTS: Final = (
    "query",
    "types",
    "drupal_versions",
    "categories",
    "sort",
    "limit",
    "offset",
    "id",
    "topic",
    "goal",
)
_GOOD_ARGUMENTS: Final[tuple[Mapping[str, object], ...]] = (
    {"query": "views"},
    {"query": "views", "limit": 3, "offset": 10_000},
    {"id": "101"},
    {"topic": "Views"},
    {"goal": "themes"},
    {},
)
_CLIENT: Final = {"name": "fuzz", "version": "1"}
_CALLS: Final[tuple[tuple[str, Mapping[str, object]], ...]] = (
    ("search_tutorials", {"query": "views", "limit": 3, "sort": "title", "types": ["tutorial"]}),
    ("search_tutorials", {"query": "themes", "drupal_versions": ["11"], "offset": 2}),
    ("get_tutorial", {"id": "101"}),
    ("search", {"query": "views"}),
    ("fetch", {"id": "101"}),
    ("account_status", {}),
)
_PREFIX: Final = "io.modelcontextprotocol/"
_ODD_HEADERS: Final = (
    b"accept",
    b"content-type",
    b"content-encoding",
    b"authorization",
    b"mcp-protocol-version",
    b"mcp-session-id",
    b"mcp-method",
    b"mcp-name",
    b"last-event-id",
    b"origin",
    b"traceparent",
    b"x-correlation-id",
    b"x-forwarded-for",
    b"x-amzn-trace-id",
    b"cookie",
)
_PLACES: Final = (
    "/mcp/",
    "/",
    "//mcp",
    "/mcp/x",
    "/mcp?access_token=x",
    "/authorize?client_id=%00&x=%ff",
    "/token",
    "/register",
    "/health/live",
    "/health/ready",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
    "/.well-known/%2e%2e/%00",
)


def requests(access_token: str) -> st.SearchStrategy[Request]:
    """Mostly messages of a person who is signed in."""
    messages = _messages()
    good = messages.map(oddities.as_json)
    bodies = good | good | oddities.damaged(good) | oddities.odd_documents(BODY_BYTES_MAX)
    described_as = {
        "version": st.sampled_from(VERSIONS),
        "access_token": st.just(access_token),
        "streams": st.booleans(),
    }
    raw = st.builds(_post, bodies, _headers(access_token), st.just("/mcp"))
    calls = st.builds(_described, _calls(), **described_as)
    described = st.builds(_described, messages, **described_as)
    elsewhere = st.builds(
        _elsewhere,
        st.sampled_from(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")),
        st.sampled_from((*_PLACES, "/mcp")),
        _headers(access_token),
    )
    return st.one_of(calls, calls, described, described, raw, raw, elsewhere)


def largest(access_token: str) -> Request:
    """The largest message that is allowed; refused only when it has been read."""
    body = oddities.large_document(BODY_BYTES_MAX)
    headers = (
        (b"authorization", f"Bearer {access_token}".encode()),
        (b"content-type", b"application/json"),
    )
    return _post(body, headers, "/mcp")


@st.composite
def _messages(draw: st.DrawFn) -> dict[str, Any]:
    """One message with up to two members that are not as they should be."""
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": draw(st.integers(0, 9) | st.text("abc", min_size=1, max_size=3)),
        "method": draw(st.sampled_from((*_METHODS, *_COSTLY, *_COSTLY, *_COSTLY))),
        "params": draw(_parameters()),
    }
    others = st.lists(st.sampled_from([*message, "result", "error", "x"]), max_size=2)
    for name in draw(st.just([]) | others):
        if draw(st.booleans()):
            message.pop(name, None)
        else:
            message[name] = draw(oddities.json_values())
    return message


@st.composite
def _calls(draw: st.DrawFn) -> dict[str, Any]:
    """A call of a tool as it should be, but for one thing or two: most come to the site."""
    name, known = draw(st.sampled_from(_CALLS))
    arguments = dict(known)
    words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=2, max_size=60)
    for changed in draw(st.lists(st.sampled_from([*arguments, "x"]), max_size=1)):
        usual = words | st.integers(-1, 60) | st.just(arguments.get(changed))
        arguments[changed] = draw(usual | usual | oddities.json_values())
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    if draw(st.sampled_from((False, False, False, True))):
        params[draw(st.sampled_from([*params]))] = draw(oddities.json_values())
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@st.composite
def _parameters(draw: st.DrawFn) -> dict[str, Any]:
    wild = st.dictionaries(
        st.sampled_from(_ARGUMENTS) | oddities.texts(), oddities.json_values(), max_size=4
    )
    arguments = draw(st.sampled_from(_GOOD_ARGUMENTS).map(dict) | wild)
    parameters: dict[str, Any] = {
        "name": draw(st.sampled_from(_NAMES) | st.sampled_from(_NAMES) | oddities.texts()),
        "arguments": arguments,
        "uri": draw(st.sampled_from(("tutorial://101", "tutorial://", "x:")) | oddities.texts()),
        "protocolVersion": draw(st.sampled_from(VERSIONS) | oddities.texts()),
        "capabilities": {},
        "clientInfo": _CLIENT,
        "cursor": draw(st.none() | oddities.texts()),
        "level": "info",
        "ref": {"type": "ref/prompt", "name": "explain_topic"},
        "argument": {"name": "topic", "value": "v"},
        "requestId": 1,
        "_meta": draw(_metadata()),
    }
    for changed in draw(st.just([]) | st.lists(st.sampled_from([*parameters]), max_size=1)):
        parameters[changed] = draw(oddities.json_values())
    needed = {"name", "arguments", "uri", "protocolVersion", "capabilities", "clientInfo"}
    turned = draw(st.just(set[str]()) | st.sets(st.sampled_from([*parameters]), max_size=3))
    return {name: value for name, value in parameters.items() if name in needed ^ turned}


@st.composite
def _metadata(draw: st.DrawFn) -> dict[str, Any]:
    known: dict[str, Any] = {
        "progressToken": draw(st.integers() | oddities.texts()),
        f"{_PREFIX}protocolVersion": draw(st.sampled_from(VERSIONS) | oddities.texts()),
        f"{_PREFIX}clientInfo": draw(st.just(_CLIENT) | oddities.json_values()),
        f"{_PREFIX}clientCapabilities": draw(st.just({}) | oddities.json_values()),
    }
    kept = draw(st.sets(st.sampled_from([*known])))
    return {name: value for name, value in known.items() if name in kept}


@st.composite
def _headers(draw: st.DrawFn, access_token: str) -> HeaderLines:
    usual = {
        b"authorization": f"Bearer {access_token}".encode(),
        b"content-type": b"application/json",
        b"accept": draw(
            st.sampled_from((b"application/json, text/event-stream", b"application/json", b"*/*"))
        ),
        b"mcp-protocol-version": draw(st.sampled_from(VERSIONS)).encode(),
    }
    odd = draw(oddities.odd_headers(_ODD_HEADERS))
    replaced = {name for name, _ in odd} if draw(st.booleans()) else set()
    return (*(line for line in usual.items() if line[0] not in replaced), *odd)


def _described(
    message: dict[str, Any], *, version: str, access_token: str, streams: bool
) -> Request:
    """As a client sends it: header and body agree, so that it comes as far as it can."""
    params = message.get("params")
    method = message.get("method")
    headers = [
        (b"authorization", f"Bearer {access_token}".encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"application/json, text/event-stream" if streams else b"application/json"),
        (b"mcp-protocol-version", version.encode()),
    ]
    if isinstance(params, dict):
        params["_meta"] = {
            **({"progressToken": "p"} if streams else {}),
            f"{_PREFIX}protocolVersion": version,
            f"{_PREFIX}clientInfo": _CLIENT,
            f"{_PREFIX}clientCapabilities": {},
        }
        headers.append((b"mcp-name", _header_text(params.get("name"))))
    headers.append((b"mcp-method", _header_text(method)))
    return _post(oddities.as_json(message), tuple(headers), "/mcp")


def _header_text(value: Any) -> bytes:
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text if letter.isprintable()).encode("latin-1", "replace")


def _post(body: bytes, headers: HeaderLines, target: str) -> Request:
    return Request(method="POST", target=target, headers=headers, body=body)


def _elsewhere(method: str, target: str, headers: HeaderLines) -> Request:
    return Request(method=method, target=target, headers=headers)
