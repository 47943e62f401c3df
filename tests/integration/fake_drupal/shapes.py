"""What of an answer is compared with a recording: protocol constants and shapes, nothing else.

Never keeps a token, a host name, or the wording of somebody else's page.
"""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

HEADERS_COMPARED = ("Cache-Control", "Allow")
KEPT_MEMBERS = frozenset({"error", "hint", "jsonrpc", "token_type", "active", "level", "scopes"})
KEPT_TEXTS = re.compile(
    r"The refresh token is invalid\."
    r"|Missing required parameter: \w+"
    r"|The method '\w+' does not exist/is not available\."
    r"|(Access Denied: )?The '[\w ]+' permission is required\."
    r"|Node with ID 999 not found"
    r"|The JWT string must have two dots"
    r"|The resource owner or authorization server denied the request\."
    r"|No authentication credentials provided\."
)
PEOPLE = {0: "nobody", 2: "alice", 3: "bob"}
SCHEMAS = {
    "inputSchema": "schema",
    "outputSchema": "schema",
    "params": "map",
    "output": "schema",
    "permissions": "map",
}
CHALLENGE = re.compile(r'(\w+)="(.*?)"(?=, \w+="|$)')


def shape_of_response(response: httpx.Response) -> dict[str, Any]:
    """The shape of an answer that has just been received."""
    body: Any = response.text
    if "json" in response.headers.get("content-type", "") and body:
        body = json.loads(body)
    pairs = [(name, value) for name, value in response.headers.multi_items()]
    return shape(response.status_code, response.reason_phrase, pairs, body)


def shape(
    status: int, reason: str, headers: Sequence[tuple[str, str]], body: Any
) -> dict[str, Any]:
    """The shape of any answer; ``body`` is parsed JSON, text, or a page's description."""
    given = {name.lower(): value for name, value in headers}
    reduced: dict[str, Any] = {"status": status}
    if reason and reason != HTTPStatus(status).phrase:
        reduced["reason"] = reason
    content_type = given.get("content-type", "").lower()
    reduced["content_type"] = content_type
    for name in HEADERS_COMPARED:
        if name.lower() in given:
            reduced[name] = given[name.lower()]
    if "www-authenticate" in given:
        reduced["WWW-Authenticate"] = _challenge(given["www-authenticate"])
    if "location" in given:
        reduced["Location"] = _location(given["location"])
    if "x-consumer-id" in given:
        default = given["x-consumer-id"] == "default_consumer"
        reduced["X-Consumer-ID"] = "<default>" if default else "<client>"
    if given.get("x-drupal-dynamic-cache") == "HIT" and "json" in content_type:
        reduced["X-Drupal-Dynamic-Cache"] = "HIT"
    reduced["body"] = _body(body, content_type)
    return reduced


def _challenge(value: str) -> dict[str, str]:
    scheme, _, rest = value.partition(" ")
    parts = dict(CHALLENGE.findall(rest))
    if scheme == "Basic" and parts.get("realm") != "OAuth":
        parts["realm"] = "<site name>"
    description = parts.get("error_description", "")
    if " is blocked" in description:
        parts["error_description"] = "<name in markup> is blocked"
    return {"scheme": scheme, **parts}


def _location(value: str) -> dict[str, Any]:
    parts = urlsplit(value)
    if parts.path == "/user/login":
        destination = dict(parse_qsl(parts.query))["destination"]
        names = sorted(dict(parse_qsl(urlsplit(destination).query)))
        return {"to": "login", "back to": urlsplit(destination).path, "with": names}
    if not parts.netloc:
        return {"to": parts.path}
    parameters = dict(parse_qsl(parts.query))
    for name, stand_in in (("code", "<code>"), ("error_description", "text")):
        if name in parameters:
            parameters[name] = stand_in
    return {"to": "callback", "parameters": parameters}


def _body(body: Any, content_type: str) -> Any:
    if "json" in content_type:
        return "" if body == "" else json_shape(body)
    if not body:
        return ""
    return "<page>" if content_type.startswith("text/html") else "text"


def json_shape(value: Any, name: str = "") -> Any:
    """The shape of a JSON value; members that classify an answer keep their values."""
    if name in KEPT_MEMBERS and not isinstance(value, Mapping):
        return value
    if isinstance(value, Mapping):
        return _object_shape(value, name)
    if isinstance(value, list):
        return _list_shape(value, name)
    if isinstance(value, str):
        return value if KEPT_TEXTS.fullmatch(value) else "text"
    if isinstance(value, bool):
        return "bool"
    return "null" if value is None else "number"


def _object_shape(value: Mapping[str, Any], name: str) -> Any:
    if name == "scopes_supported" and all(key.isdigit() for key in value):
        return "map with numeric keys"
    if name in SCHEMAS:
        return _schema_shape(value) if name == "inputSchema" else SCHEMAS[name]
    reduced = {key: json_shape(member, key) for key, member in value.items()}
    if "code" in value and "message" in value:
        reduced["code"], reduced["message"] = value["code"], _title(value)
    if "jsonrpc" in value and "id" in value:
        reduced["id"] = value["id"]
    if isinstance(value.get("uid"), int):
        reduced["uid"] = PEOPLE[value["uid"]]
    return reduced


def _title(error: Mapping[str, Any]) -> str:
    """The fixed title of a JSON-RPC error; other errors have texts of their own."""
    return str(error["message"]) if isinstance(error["code"], int) else "text"


def _schema_shape(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema["properties"]
    reduced = {"type": schema["type"], "properties": "map" if properties else properties}
    return {**reduced, "required": schema["required"]} if "required" in schema else reduced


def _list_shape(value: list[Any], name: str) -> Any:
    if name in ("tools", "data"):
        return {item.get("name") or item["id"]: json_shape(item) for item in value}
    if value and isinstance(value[0], Mapping) and "jsonrpc" in value[0]:
        return [json_shape(item) for item in value]
    return [json_shape(item) for item in value[:1]]
