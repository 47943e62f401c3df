"""Which client ids are addresses of documents, by their spelling alone."""

import pytest

from shared.domain.document_ids import (
    DOCUMENT_ID_LENGTH_MAX,
    looks_like_document_id,
    parse_document_id,
)

LONGEST = "https://app.example/".ljust(DOCUMENT_ID_LENGTH_MAX, "x")


@pytest.mark.parametrize(
    "client_id",
    [
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        "https://vscode.dev/oauth/client-metadata.json",
        "https://app.example:443/client.json",
        "https://app.example/client.json?version=2",
        "https://xn--bcher-kva.example/a%20b",
        "https://App.Example/client.json",
        LONGEST,
    ],
)
def test_an_https_address_of_a_public_name_with_a_path_is_an_id(client_id: str) -> None:
    document_id = parse_document_id(client_id, local=False)

    assert document_id is not None
    assert document_id.text == client_id
    assert document_id.port == 443
    assert document_id.host == document_id.host.lower()


@pytest.mark.parametrize(
    "client_id",
    [
        "https://app.example",
        "https://app.example/",
        "http://app.example/client.json",
        "ftp://app.example/client.json",
        "https://app.example:8443/client.json",
        "https://app.example:/client.json",
        "https://app.example/client.json#part",
        "https://person@app.example/client.json",
        "https://person:password@app.example/client.json",
        "https://app.example@127.0.0.1/client.json",
        "https://app.example/../client.json",
        "https://app.example/./client.json",
        "https://app.example/a/%2e%2e/client.json",
        "https://app.example/a%2f..%2fclient.json",
        "https://app.example\\@other.example/client.json",
        "https://app.example/client.json\n",
        "https://app.example/cl ient.json",
        "https://b\u00fccher.example/client.json",
        "https://app.example\uff0fclient.json",
        "https://127.0.0.1/client.json",
        "https://127.1/client.json",
        "https://2130706433/client.json",
        "https://0x7f.1/client.json",
        "https://0177.0.0.1/client.json",
        "https://0x7f000001/client.json",
        "https://[::1]/client.json",
        "https://[::ffff:127.0.0.1]/client.json",
        "https://localhost/client.json",
        "https://localhost./client.json",
        "https://app.example./client.json",
        "https://-app.example/client.json",
        "https://app..example/client.json",
        "https:/app.example/client.json",
        "https:///client.json",
        f"https://{'a' * 64}.example/client.json",
        f"https://{'a.' * 126}example/client.json",
        LONGEST + "x",
        "",
    ],
)
def test_every_other_spelling_is_none(client_id: str) -> None:
    assert parse_document_id(client_id, local=False) is None


@pytest.mark.parametrize(
    ("client_id", "host", "port"),
    [
        ("http://127.0.0.1:9000/client.json", "127.0.0.1", 9_000),
        ("https://localhost:9000/client.json", "localhost", 9_000),
        ("http://[::1]/client.json", "::1", 80),
        ("https://app.example/client.json", "app.example", 443),
    ],
)
def test_the_local_stage_takes_loopback_too(client_id: str, host: str, port: int) -> None:
    document_id = parse_document_id(client_id, local=True)

    assert document_id is not None
    assert (document_id.host, document_id.port) == (host, port)


@pytest.mark.parametrize(
    "client_id",
    [
        "http://app.example/client.json",
        "https://10.0.0.1/client.json",
        "http://127.1/client.json",
        "http://127.0.0.1:65536/client.json",
        "http://127.0.0.1:0/client.json",
        "http://127.0.0.1/",
        "http://person@127.0.0.1/client.json",
    ],
)
def test_the_local_stage_takes_nothing_else(client_id: str) -> None:
    assert parse_document_id(client_id, local=True) is None


def test_no_id_that_is_issued_here_looks_like_an_address() -> None:
    assert looks_like_document_id("https://app.example/client.json")
    assert looks_like_document_id("HTTP://app.example")
    assert not looks_like_document_id("client_abc")
