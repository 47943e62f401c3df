"""What a client's document may say, and what makes it unusable."""

import json
from typing import Any

import pytest

from functions.oauth.client_documents import content as document_content
from functions.oauth.client_documents.failures import DocumentFault, DocumentFaultError
from shared.domain.client_documents import AuthMethod, DocumentContent
from shared.domain.document_ids import DocumentId

ADDRESS = "https://app.example/client.json"
DOCUMENT_ID = DocumentId(text=ADDRESS, host="app.example", port=443)
REDIRECT = "https://app.example/callback"
KEYS = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "kid": "1",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    ]
}


def parse(**changes: Any) -> DocumentContent:
    members = {
        "client_id": ADDRESS,
        "client_name": "App",
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "none",
        **changes,
    }
    given = {name: value for name, value in members.items() if value is not ...}
    return document_content.parse(json.dumps(given).encode(), DOCUMENT_ID)


def fault_of(**changes: Any) -> DocumentFault:
    with pytest.raises(DocumentFaultError) as caught:
        parse(**changes)
    return caught.value.fault


def test_a_document_for_everybody_is_read_for_what_it_means_here() -> None:
    content = parse(
        client_uri="https://app.example/",
        logo_uri="https://app.example/logo.png",
        grant_types=["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:x"],
        response_types=["code"],
        application_type="web",
        made_up={"deep": [None]},
        scope=None,
    )

    assert content == DocumentContent(
        client_name="App", redirect_uris=(REDIRECT,), client_uri="https://app.example/"
    )


def test_a_document_without_a_name_goes_by_its_host() -> None:
    assert parse(client_name=...).client_name == "app.example"


@pytest.mark.parametrize(
    "other",
    [
        "https://app.example/client.json/",
        "https://app.example:443/client.json",
        "https://App.example/client.json",
        "https://app.example/client%2Ejson",
        "https://other.example/client.json",
        "",
        None,
        [ADDRESS],
        ...,
    ],
)
def test_the_client_id_is_the_very_string_of_the_address(other: Any) -> None:
    assert fault_of(client_id=other) is DocumentFault.OTHER_ID


@pytest.mark.parametrize(
    ("members", "methods"),
    [
        ({}, (AuthMethod.NONE,)),
        ({"token_endpoint_auth_method": ...}, (AuthMethod.NONE,)),
        ({"token_endpoint_auth_method": ["none", "private_key_jwt"]}, tuple(AuthMethod)),
        ({"token_endpoint_auth_method": ["client_secret_basic", "none"]}, (AuthMethod.NONE,)),
        (
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            },
            (AuthMethod.PRIVATE_KEY_JWT, AuthMethod.NONE),
        ),
        (
            {"token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS},
            (AuthMethod.PRIVATE_KEY_JWT,),
        ),
        (
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks_uri": "https://app.example/jwks",
            },
            (AuthMethod.PRIVATE_KEY_JWT,),
        ),
    ],
)
def test_methods_without_a_secret_are_taken_in_every_shape(
    members: dict[str, Any], methods: tuple[AuthMethod, ...]
) -> None:
    content = parse(**members)

    assert content.auth_methods == methods
    assert content.must_authenticate == (AuthMethod.NONE not in methods)


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"client_secret": "x"}, DocumentFault.SECRET),
        ({"client_secret_expires_at": 1}, DocumentFault.SECRET),
        ({"token_endpoint_auth_method": "client_secret_post"}, DocumentFault.AUTH_METHOD),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, DocumentFault.AUTH_METHOD),
        ({"token_endpoint_auth_method": "made_up"}, DocumentFault.AUTH_METHOD),
        (
            {
                "token_endpoint_auth_method": "client_secret_basic",
                "token_endpoint_auth_methods_supported": ["none"],
            },
            DocumentFault.AUTH_METHOD,
        ),
        ({"token_endpoint_auth_method": ["client_secret_basic"]}, DocumentFault.AUTH_METHOD),
        ({"token_endpoint_auth_method": "private_key_jwt"}, DocumentFault.KEYS),
        (
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks_uri": "https://10.0.0.1/jwks",
            },
            DocumentFault.KEYS,
        ),
        ({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}, DocumentFault.KEYS),
        ({"jwks": []}, DocumentFault.KEYS),
        ({"redirect_uris": ...}, DocumentFault.REDIRECT_URIS),
        ({"redirect_uris": []}, DocumentFault.REDIRECT_URIS),
        ({"redirect_uris": ["http://app.example/callback"]}, DocumentFault.REDIRECT_URIS),
        ({"redirect_uris": [REDIRECT, "javascript:alert(1)"]}, DocumentFault.REDIRECT_URIS),
        ({"redirect_uris": ["https://app.example/*"]}, DocumentFault.REDIRECT_URIS),
        ({"redirect_uris": [REDIRECT] * 11}, DocumentFault.REDIRECT_URIS),
        ({"grant_types": ["client_credentials"]}, DocumentFault.METADATA),
        ({"response_types": ["token"]}, DocumentFault.METADATA),
        ({"client_name": 5}, DocumentFault.METADATA),
    ],
)
def test_what_makes_no_usable_client_is_refused(
    members: dict[str, Any], fault: DocumentFault
) -> None:
    assert fault_of(**members) is fault


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 5_000]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentFaultError) as caught:
        document_content.parse(body, DOCUMENT_ID)

    assert caught.value.fault is DocumentFault.NOT_JSON


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://app.example/jwks", True),
        ("https://keys.other.example/a/b?c=d", True),
        ("http://app.example/jwks", False),
        ("http://127.0.0.1/jwks", False),
        ("https://127.0.0.1/jwks", False),
        ("https://app.example:8443/jwks", False),
        ("https://person@app.example/jwks", False),
        ("https://app.example/../jwks", False),
        ("https://app.example", False),
        (["https://app.example/jwks"], False),
    ],
)
def test_an_address_of_keys_follows_the_rules_for_documents(address: object, *, kept: bool) -> None:
    assert parse(jwks_uri=address).jwks_uri == (address if kept else None)


def test_keys_in_the_document_count_before_those_at_an_address() -> None:
    content = parse(jwks=KEYS, jwks_uri="https://app.example/jwks")

    assert (content.keys, content.jwks_uri) == (KEYS, None)
