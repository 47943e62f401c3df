"""The authorization server as an OpenAPI document, which production never serves.

Paths and methods are the application's own; what they take is described here, because the
application reads its requests by hand and says nothing about them.
"""

import warnings
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

from functions.oauth.parameters import FORM_TYPE, JSON_TYPE
from scripts.local_stack.client import REDIRECT_URI
from shared.discovery.documents import AUTHORIZE_PATH, REGISTER_PATH, REVOKE_PATH, TOKEN_PATH

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_VERIFIER: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9._~-]{43,128}$"}
_DOCUMENT: Final[Schema] = {"openapi": "3.1.0", "info": {"title": "OAuth", "version": "1"}}


class UndescribedEndpointError(Exception):
    """The application has an endpoint that this document says nothing about."""


def openapi_of(app: FastAPI, known: Mapping[str, str]) -> Schema:
    """The document; ``known`` holds what a real client would send.

    Raises:
        UndescribedEndpointError: ``app`` has an endpoint that is missing here.
    """
    taken = _taken(known)
    paths: Schema = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one function for GET and HEAD: ids twice, used nowhere
        own = app.openapi()
    for path, operations in own["paths"].items():
        for method in operations:
            described = taken.get((method.upper(), path))
            if described is None:
                raise UndescribedEndpointError(f"{method.upper()} {path}")
            answers = {"default": {"description": "Whatever the judge allows."}}
            paths.setdefault(path, {})[method] = {**described, "responses": answers}
    return {**_DOCUMENT, "paths": paths}


def _taken(known: Mapping[str, str]) -> dict[tuple[str, str], Schema]:
    mine = {name: {"type": "string", "enum": [value]} for name, value in known.items()}
    request: dict[str, Schema] = {
        "response_type": {"enum": ["code"]},
        "client_id": mine["client_id"],
        "redirect_uri": {"enum": [REDIRECT_URI, "http://127.0.0.1/callback"]},
        "state": _TEXT,
        "scope": _TEXT,
        "resource": mine["resource"],
        "code_challenge": _VERIFIER,
        "code_challenge_method": {"enum": ["S256"]},
    }
    redemption = _object(
        grant_type={"enum": ["authorization_code"]},
        code=mine["code"],
        client_id=mine["client_id"],
        redirect_uri=mine["redirect_uri"],
        code_verifier=_VERIFIER,
    )
    refresh = _object(
        grant_type={"enum": ["refresh_token"]},
        refresh_token=mine["refresh_token"],
        client_id=mine["client_id"],
    )
    consent = _object(
        decision={"enum": ["allow", "deny"]}, sign_in=mine["sign_in"], consent=mine["consent"]
    )
    actions = {"enum": ["sign_in", "disconnect", "disconnect_all", "sign_out"]}
    account = _object(action=actions, proof=_TEXT, connection={"type": "string", "format": "uuid"})
    return {
        ("GET", AUTHORIZE_PATH): _query(request),
        ("POST", AUTHORIZE_PATH): _body(FORM_TYPE, consent),
        ("GET", "/oauth/callback"): _query({"code": _TEXT, "state": _TEXT, "error": _TEXT}),
        ("GET", "/account"): _query({"notice": _TEXT}),
        ("POST", "/account"): _body(FORM_TYPE, account),
        ("POST", TOKEN_PATH): _body(FORM_TYPE, {"anyOf": [redemption, refresh]}),
        ("POST", REVOKE_PATH): _body(FORM_TYPE, _object(token=_TEXT, client_id=mine["client_id"])),
        ("POST", REGISTER_PATH): _body(JSON_TYPE, _registration()),
        ("GET", "/health/live"): _query({}),
        ("HEAD", "/health/live"): _query({}),
        ("GET", "/health/ready"): _query({}),
        ("HEAD", "/health/ready"): _query({}),
    }


def _registration() -> Schema:
    texts = {"type": "array", "items": _TEXT}
    uri = {"type": "string", "format": "uri"}
    return {
        "type": "object",
        "required": ["redirect_uris"],
        "properties": {
            "redirect_uris": {"type": "array", "items": uri, "minItems": 1},
            "client_name": _TEXT,
            "client_uri": uri,
            "grant_types": texts,
            "response_types": texts,
            "scope": _TEXT,
            "token_endpoint_auth_method": {"enum": ["none", "private_key_jwt"]},
            "jwks": {"type": "object"},
            "jwks_uri": uri,
        },
    }


def _object(**members: Schema) -> Schema:
    return {"type": "object", "required": [*members], "properties": members}


def _query(parameters: Mapping[str, Schema]) -> Schema:
    return {
        "parameters": [
            {"name": name, "in": "query", "required": True, "schema": schema}
            for name, schema in parameters.items()
        ]
    }


def _body(media_type: str, schema: Schema) -> Schema:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}
