"""``/jsonrpc``: envelopes, batches, parameter checks and the error answers of the jsonrpc module.

Reproduces its quirks on purpose; never a model of JSON-RPC done right.
"""

import json
from collections.abc import Mapping

import jsonschema
from starlette.responses import Response

from scripts.fake_drupal.accounts import USE_JSONRPC
from scripts.fake_drupal.answers import answer, apology, json_answer
from scripts.fake_drupal.bearer import Caller, basic_challenge, identify, require
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.login import SESSION_COOKIE
from scripts.fake_drupal.methods import find_method
from scripts.fake_drupal.rpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    TITLES,
    JsonValue,
    RpcBrokenError,
    RpcError,
    RpcMethod,
)
from scripts.fake_drupal.site import Site

Envelope = dict[str, JsonValue]


class EnvelopeRefusedError(Exception):
    """The whole body is refused, before anything is executed."""

    def __init__(self, error: Envelope, *, status: int = 400) -> None:
        super().__init__("envelope refused")
        self.error = error
        self.status = status


def jsonrpc_endpoint(site: Site, call: Call) -> Response:
    """One request or a batch, by POST or by GET with ``?query=``."""
    caller = identify(site, call, basic_allowed=True)
    admit(site, call, caller)
    if call.method == "OPTIONS":
        response = json_answer("", status=200, headers={"Allow": "POST, GET, OPTIONS, HEAD"})
    elif call.path.endswith("/"):
        response = apology(site.dialect.apology)
    elif call.method == "GET":
        response = _cached(site, call, caller)
    else:
        response = execute_body(site, caller, call.body)
    return response


def admit(site: Site, call: Call, caller: Caller) -> None:
    """Let only callers in who may use JSON-RPC.

    Raises:
        CallRefusedError: 401 with a Basic challenge, or 403.
    """
    nobody = caller.account is None and caller.token is None
    if nobody and site.behaviours.basic_auth and SESSION_COOKIE not in call.cookies:
        raise basic_challenge(site, call)
    require(site, call, caller, USE_JSONRPC)


def _cached(site: Site, call: Call, caller: Caller) -> Response:
    """GET goes through the dynamic page cache, which knows permissions but not people."""
    key = (call.query_string, caller.permissions)
    stored = site.caches.pages.get(key)
    if stored is not None:
        status, body = stored
        headers = {"X-Drupal-Dynamic-Cache": "HIT"}
        return answer(body, "application/json", status=status, headers=headers)
    response = execute_body(site, caller, call.query.get("query", "").encode())
    response.headers["X-Drupal-Dynamic-Cache"] = "MISS"
    site.caches.pages[key] = (response.status_code, bytes(response.body))
    return response


def execute_body(site: Site, caller: Caller, body: bytes) -> Response:
    """Execute what the body asks; everything is checked before the first element runs."""
    try:
        parsed = _parse(body)
        elements = parsed if isinstance(parsed, list) else [parsed]
        prepared = [_prepare(site, element) for element in elements]
        answers = [_execute(site, caller, *item) for item in prepared if "id" in item[0]]
    except EnvelopeRefusedError as refused:
        return json_answer(refused.error, status=refused.status)
    if not answers:
        return apology(site.dialect.apology, early=site.dialect.notification_ends_early)
    return json_answer(answers if isinstance(parsed, list) else answers[0])


def _parse(body: bytes) -> list[Envelope] | Envelope:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        return _checked_envelope(parsed)
    if isinstance(parsed, list):
        return [_checked_envelope(element) for element in parsed]
    raise _malformed(f"{type(parsed).__name__} value found, but an object is required")


def _checked_envelope(element: object) -> Envelope:
    if not isinstance(element, dict):
        raise _malformed("an element of the batch is not an object")
    if element.get("jsonrpc") != "2.0":
        raise _malformed("[jsonrpc] must be the string 2.0")
    if not isinstance(element.get("method"), str):
        raise _malformed("[method] must be a string")
    if "id" in element and not isinstance(element["id"], str | int | float):
        raise _malformed("[id] must be a number or a string")
    return element


def _malformed(detail: str) -> EnvelopeRefusedError:
    data = (
        "Adaptor Drupal\\jsonrpc\\Shaper\\RpcRequestFactory received invalid input data: "
        f'[{{"property":"","message":"{detail}"}}].'
    )
    return EnvelopeRefusedError(_error(None, INTERNAL_ERROR, data))


def _prepare(site: Site, envelope: Envelope) -> tuple[Envelope, RpcMethod, dict[str, JsonValue]]:
    name, request_id = str(envelope["method"]), envelope.get("id")
    method = find_method(site, name)
    if method is None:
        data = f"The method '{name}' does not exist/is not available."
        raise EnvelopeRefusedError(_error(request_id, METHOD_NOT_FOUND, data))
    given = envelope.get("params")
    params = dict(given) if isinstance(given, dict) else {}
    for required in method.required:
        if required not in params:
            data = f"Missing required parameter: {required}"
            raise EnvelopeRefusedError(_error(request_id, INVALID_PARAMS, data))
    known = {key: value for key, value in params.items() if key in method.params}
    _check_params(method, known)
    return envelope, method, known


def _check_params(method: RpcMethod, params: Mapping[str, JsonValue]) -> None:
    for key, value in params.items():
        try:
            jsonschema.validate(value, method.params[key])
        except jsonschema.ValidationError as error:
            data = (
                f"The {key} parameter does not conform to the parameter schema. Adaptor "
                "Drupal\\jsonrpc\\ParameterFactory\\RawParameterFactory received invalid input "
                f'data: [{{"property":"","constraint":"{error.validator}"}}].'
            )
            raise EnvelopeRefusedError(_error(None, INVALID_PARAMS, data)) from error


def _execute(
    site: Site, caller: Caller, envelope: Envelope, method: RpcMethod, params: dict[str, JsonValue]
) -> Envelope:
    if not method.visible_to(caller):
        data = f"Access Denied: The '{method.permission}' permission is required."
        return _error(None, INVALID_REQUEST, data)
    try:
        result = method.handler(site, caller, params)
    except RpcError as error:
        return _error(None, error.code, error.data, title=error.title)
    except RpcBrokenError as error:
        return _error(envelope["id"], INTERNAL_ERROR, str(error))
    if result is None:
        data = "Response::setCacheability(): Argument #1 must not be null, called on line 81"
        return _error(envelope["id"], INTERNAL_ERROR, data)
    _check_result(method, result)
    return {"jsonrpc": "2.0", "id": envelope["id"], "result": result}


def _check_result(method: RpcMethod, result: JsonValue) -> None:
    # PHP cannot tell an empty object from an empty list, so neither is held against the method.
    if result in ([], {}):
        return
    try:
        jsonschema.validate(result, dict(method.output))
    except jsonschema.ValidationError as error:
        data = "Adaptor Drupal\\jsonrpc\\Shaper\\RpcResponseFactory returned invalid output data"
        refused = _error(None, INTERNAL_ERROR, data)
        raise EnvelopeRefusedError(refused, status=500) from error


def _error(request_id: JsonValue, code: int, data: JsonValue, *, title: str = "") -> Envelope:
    error: Envelope = {"code": code, "message": title or TITLES[code], "data": data}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}
