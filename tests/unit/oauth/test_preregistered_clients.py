"""The clients of the settings: what is read, and that mistakes are all named at once."""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey

from functions.oauth.preregistered_clients import parse
from shared.domain.clients import RegistrationKind
from shared.settings_group import SettingsError

KEY = ECKey.generate_key("P-256")
KEYS = {"keys": [KEY.as_dict(private=False)]}
GOOD: dict[str, Any] = {
    "client_id": "intranet",
    "client_name": "Intranet assistant",
    "redirect_uris": ["https://intranet.example/callback"],
}


def test_no_setting_means_no_client() -> None:
    assert parse("") == {}


def test_a_client_is_read_as_it_is_written() -> None:
    (client,) = parse(json.dumps([GOOD])).values()

    assert client.client_id == "intranet"
    assert client.kind is RegistrationKind.PREREGISTERED
    assert client.redirect_uris == ("https://intranet.example/callback",)


def test_every_mistake_is_named_at_once_and_no_value() -> None:
    entries = [
        {**GOOD, "client_id": "client_taken"},
        {**GOOD, "redirect_uris": ["https://a.example/", "http://a.example/"]},
        {**GOOD, "client_secret": "hunter2"},
        {**GOOD, "token_endpoint_auth_method": "client_secret_post"},
        {"client_id": "nameless"},
    ]

    with pytest.raises(SettingsError) as caught:
        parse(json.dumps(entries))

    places = [line.split(": ")[0] for line in str(caught.value).split("; ")]
    assert places == [
        "PREREGISTERED_CLIENTS.0.client_id",
        "PREREGISTERED_CLIENTS.1.redirect_uris.1",
        "PREREGISTERED_CLIENTS.2.client_secret",
        "PREREGISTERED_CLIENTS.3.token_endpoint_auth_method",
        "PREREGISTERED_CLIENTS.4.client_name",
        "PREREGISTERED_CLIENTS.4.redirect_uris",
    ]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '"x"', "[1]", json.dumps([GOOD, GOOD]), json.dumps([GOOD] * 101)],
)
def test_a_text_that_is_no_such_list_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="PREREGISTERED_CLIENTS"):
        parse(text)


def test_a_client_with_keys_must_prove_itself() -> None:
    proving = {**GOOD, "token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS}

    (client,) = parse(json.dumps([proving])).values()

    assert client.must_authenticate
    assert client.keys == KEYS


def test_a_client_may_name_the_address_of_its_keys() -> None:
    address = "https://intranet.example/keys"
    proving = {**GOOD, "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": address}

    (client,) = parse(json.dumps([proving])).values()

    assert client.must_authenticate
    assert (client.keys, client.jwks_uri) == (None, address)


@pytest.mark.parametrize(
    "changes",
    [
        {"jwks_uri": "https://intranet.example/keys"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://10.0.0.1/keys"},
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": KEYS,
            "jwks_uri": "https://intranet.example/keys",
        },
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"jwks": KEYS},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [KEY.as_dict(private=True)]},
        },
    ],
)
def test_method_and_public_keys_need_each_other(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"PREREGISTERED_CLIENTS\.0"):
        parse(json.dumps([{**GOOD, **changes}]))


@pytest.mark.parametrize(
    "client_id", ["https://app.example/client.json", "ab", "a b", "x" * 101, "id\n", "client_a"]
)
def test_an_id_that_means_another_kind_of_client_is_refused(client_id: str) -> None:
    with pytest.raises(SettingsError, match="client_id"):
        parse(json.dumps([{**GOOD, "client_id": client_id}]))
