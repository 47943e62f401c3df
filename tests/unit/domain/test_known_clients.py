"""Whose client it is, as far as a registration tells."""

import dataclasses

import pytest

from shared.domain import redirects
from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from shared.domain.known_clients import (
    KNOWN_CLIENTS,
    ClientFamily,
    KnownClient,
    claimed_name,
    client_family,
    known_document,
)

UNKNOWN = Client(
    client_id=ClientId("client_x"),
    kind=RegistrationKind.DYNAMIC,
    client_name="Somebody's",
    redirect_uris=("http://127.0.0.1/callback",),
)


def family(**changes: object) -> ClientFamily:
    return client_family(dataclasses.replace(UNKNOWN, **changes))  # type: ignore[arg-type] # fields


def test_every_family_has_one_record() -> None:
    families = [known.family for known in KNOWN_CLIENTS]

    assert sorted(families) == sorted(set(ClientFamily) - {ClientFamily.OTHER})


@pytest.mark.parametrize("known", KNOWN_CLIENTS, ids=lambda known: known.family.value)
def test_a_record_is_told_by_its_id_its_redirects_and_its_name(known: KnownClient) -> None:
    for document_id in known.document_ids:
        assert family(client_id=ClientId(document_id)) is known.family
    for documents in known.document_families:
        one = documents.document_id.replace("{id}", "Ui-hkzeEt_FU")
        assert family(client_id=ClientId(one)) is known.family
    for uri in known.own_redirects:
        assert family(redirect_uris=(uri.replace("*", "id-7"),)) is known.family
    for name in known.registered_names:
        assert family(client_name=f"{name.lower()} (tutorials)") is known.family


@pytest.mark.parametrize("known", KNOWN_CLIENTS, ids=lambda known: known.family.value)
def test_every_known_redirect_uri_may_be_registered(known: KnownClient) -> None:
    for uri in (*known.own_redirects, *known.shared_redirects):
        assert redirects.may_register(uri.replace("*", "id-7"))
    assert all(redirects.is_loopback(uri.replace("*", "x")) for uri in known.shared_redirects)
    assert not any(redirects.is_loopback(uri) for uri in known.own_redirects)


def test_where_it_returns_to_counts_more_than_what_it_says() -> None:
    claude = "https://claude.ai/api/mcp/auth_callback"

    assert family(client_name="Cursor", redirect_uris=(claude,)) is ClientFamily.CLAUDE


@pytest.mark.parametrize(
    "uris",
    [
        ("https://evil.example/callback", "https://claude.ai/api/mcp/auth_callback"),
        ("https://claude.ai/api/mcp/auth_callback/more",),
        ("https://claude.ai.evil.example/api/mcp/auth_callback",),
        ("https://chatgpt.com/connector/oauthx",),
    ],
)
def test_an_address_that_leads_elsewhere_makes_no_family(uris: tuple[str, ...]) -> None:
    assert family(redirect_uris=uris) is ClientFamily.OTHER
    assert family(redirect_uris=uris, client_name="Claude") is ClientFamily.OTHER


@pytest.mark.parametrize(
    ("name", "uri", "claimed"),
    [
        ("Claude", "https://claude.ai/api/mcp/auth_callback", None),
        ("Claude", "https://evil.example/callback", "Claude"),
        ("claude (tutorials)", "https://claude.ai.evil.example/callback", "Claude"),
        ("Claude", "http://127.0.0.1:5/callback", None),
        ("Cursor", "cursor://anysphere.cursor-mcp/oauth/callback", None),
        ("Cursor", "com.evil.app:/callback", "Cursor"),
        ("Somebody's", "https://evil.example/callback", None),
    ],
)
def test_a_known_name_that_returns_elsewhere_is_only_claimed(
    name: str, uri: str, claimed: str | None
) -> None:
    client = dataclasses.replace(UNKNOWN, client_name=name, redirect_uris=(uri,))

    assert claimed_name(client, uri) == claimed
    by_operators = dataclasses.replace(client, kind=RegistrationKind.PREREGISTERED)
    assert claimed_name(by_operators, uri) is None


@pytest.mark.parametrize(
    ("client_id", "redirect_uri"),
    [
        (
            "https://chatgpt.com/oauth/kDmjx77UnKOM/client.json",
            "https://chatgpt.com/connector/oauth/kDmjx77UnKOM",
        ),
        (
            "https://chatgpt.com/oauth/codex/Ui-hkzeEt_FU/client.json",
            "http://127.0.0.1/callback/Ui-hkzeEt_FU",
        ),
    ],
)
def test_documents_of_one_connection_each_return_where_their_address_says(
    client_id: str, redirect_uri: str
) -> None:
    document = known_document(client_id)

    assert document is not None
    assert document[1] == (redirect_uri,)
    assert redirects.may_register(redirect_uri)


@pytest.mark.parametrize(
    "client_id",
    [
        "https://chatgpt.com/oauth//client.json",
        "https://chatgpt.com/oauth/short/client.json",
        "https://chatgpt.com/oauth/a/b/c/d/client.json",
        "https://chatgpt.com/oauth/..%2f..%2f..%2f/client.json",
        "https://chatgpt.com/oauth/kDmjx77UnKOM/client.json?x",
        "https://chatgpt.com/oauth/kDmjx77UnKOM/client.json/client.json",
        "https://evil.example/oauth/kDmjx77UnKOM/client.json",
        "https://chatgpt.com/oauth/" + "a" * 65 + "/client.json",
        "https://chatgpt.com/oauth/client.jso",
    ],
)
def test_no_other_address_is_one_of_them(client_id: str) -> None:
    assert known_document(client_id) is None
