"""``/jsonrpc/methods``: the methods that the caller can see, as the discovery module lists them.

Never executes anything.
"""

from starlette.responses import Response

from scripts.fake_drupal.answers import json_answer
from scripts.fake_drupal.bearer import Caller, CallRefusedError, identify
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.jsonrpc import admit
from scripts.fake_drupal.methods import methods_of
from scripts.fake_drupal.pages import not_found
from scripts.fake_drupal.rpc import JsonValue, RpcMethod
from scripts.fake_drupal.site import Site

PREFIX = "/jsonrpc/methods"


def methods_endpoint(site: Site, call: Call) -> Response:
    """The list, or one method by id."""
    caller = identify(site, call, basic_allowed=True)
    admit(site, call, caller)
    wanted = call.path.removeprefix(PREFIX).strip("/")
    return _one(site, call, caller, wanted) if wanted else _all(site, call, caller)


def _visible(site: Site, caller: Caller) -> list[RpcMethod]:
    return [method for method in methods_of(site) if method.visible_to(caller)]


def _all(site: Site, call: Call, caller: Caller) -> Response:
    listed: list[JsonValue] = [_described(call, method) for method in _visible(site, caller)]
    return json_answer({"data": listed, "links": {"self": f"{call.origin}{PREFIX}"}})


def _one(site: Site, call: Call, caller: Caller, wanted: str) -> Response:
    for method in _visible(site, caller):
        if method.name == wanted:
            return json_answer(_described(call, method))
    raise CallRefusedError(not_found(site, call))


def _described(call: Call, method: RpcMethod) -> dict[str, JsonValue]:
    params: dict[str, JsonValue] = {
        name: {
            "type": "JsonRpcParameterDefinition",
            "id": name,
            "attributes": {"schema": schema, "required": name in method.required},
            "schema": schema,
        }
        for name, schema in method.params.items()
    }
    return {
        "type": "JsonRpcMethod",
        "id": method.name,
        "attributes": {
            "usage": method.description,
            "params": params,
            "output": dict(method.output),
        },
        "links": {
            "self": f"{call.origin}{PREFIX}/{method.name}",
            "collection": f"{call.origin}{PREFIX}",
        },
    }
