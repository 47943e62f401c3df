"""Abused documents of clients, at the front door: refused, and nobody forbidden was connected to.

The rules are those of production; a local DNS says which addresses the names have.
"""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import psycopg
import pytest

from functions.oauth.app import create_app
from functions.oauth.client_documents.fetcher import (
    DOCUMENT_BYTES_MAX,
    FETCH_SECONDS_MAX,
    DocumentFetcher,
    Resolve,
    system_addresses,
)
from functions.oauth.dependencies import Dependencies
from tests.integration.oauth.driver import ISSUER, WEB_REDIRECT, Driver
from tests.integration.oauth.echoes import assert_nothing_echoed, assert_stays_on_a_page
from tests.support.connection_log import connection_log
from tests.support.redirect_abuse import CANARY
from tests.support.scripted_site import HANG, http, scripted_site

DOMAIN = f"{CANARY}.example"
JSON = {"Content_Type": "application/json"}
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SHORT_SECONDS = 0.3
PUBLIC = "93.184.215.14"

FORBIDDEN = {
    "loopback": ["127.0.0.1"],
    "another loopback": ["127.255.255.254"],
    "this host": ["0.0.0.0"],  # noqa: S104 - refused, not bound
    "loopback, IPv6": ["::1"],
    "unspecified, IPv6": ["::"],
    "loopback, mapped": ["::ffff:127.0.0.1"],
    "loopback, compatible": ["::127.0.0.1"],
    "loopback, NAT64": ["64:ff9b::7f00:1"],
    "loopback, 6to4": ["2002:7f00:1::1"],
    "loopback, Teredo": ["2001:0:808:808:0:0:80ff:fffe"],
    "metadata": ["169.254.169.254"],
    "metadata of containers": ["169.254.170.2"],
    "metadata, IPv6": ["fd00:ec2::254"],
    "metadata of pods": ["fd00:ec2::23"],
    "metadata, mapped": ["::ffff:169.254.169.254"],
    "metadata, mapped in figures": ["::ffff:a9fe:a9fe"],
    "metadata, translated": ["::ffff:0:a9fe:a9fe"],
    "metadata, compatible": ["::a9fe:a9fe"],
    "metadata, NAT64": ["64:ff9b::a9fe:a9fe"],
    "metadata, local NAT64": ["64:ff9b:1::a9fe:a9fe"],
    "metadata, 6to4": ["2002:a9fe:a9fe::1"],
    "metadata, Teredo server": ["2001:0:a9fe:a9fe::1"],
    "metadata, Teredo client": ["2001:0:808:808:0:0:5601:5601"],
    "metadata, ISATAP": ["2a00:1450::5efe:a9fe:a9fe"],
    "link-local": ["fe80::a9fe:a9fe%lo"],
    "private": ["10.0.0.1"],
    "private, mapped": ["::ffff:10.0.0.1"],
    "carrier": ["100.100.100.200"],
    "of a cloud": ["192.0.0.192"],
    "multicast": ["224.0.0.1"],
    "broadcast": ["255.255.255.255"],
    "a public one first": [PUBLIC, "127.0.0.1"],
    "a public one last": ["169.254.169.254", PUBLIC],
    "a public one among many": [PUBLIC, "2606:4700::6810:1", "::ffff:10.0.0.1"],
    "too many": [f"93.184.215.{number}" for number in range(1, 20)],
}

NO_IDS = [
    template.replace("{canary}", CANARY)
    for template in (
        "https://localhost/{canary}",
        "https://LOCALHOST/{canary}",
        "https://localhost./{canary}",
        "https://app.localhost/{canary}",
        "https://127.0.0.1/{canary}",
        "https://127.0.0.1./{canary}",
        "https://127.1/{canary}",
        "https://127.000.000.001/{canary}",
        "https://2130706433/{canary}",
        "https://0x7f000001/{canary}",
        "https://0X7F.1/{canary}",
        "https://0x7f.0x0.0x0.0x1/{canary}",
        "https://0177.0.0.1/{canary}",
        "https://017700000001/{canary}",
        "https://0/{canary}",
        "https://127.0x1/{canary}",
        "https://\u2460\u2461\u2466.0.0.1/{canary}",
        "https://127\u30020\u30020\u30021/{canary}",
        "https://[::1]/{canary}",
        "https://[0:0:0:0:0:0:0:1]/{canary}",
        "https://[::ffff:127.0.0.1]/{canary}",
        "https://[::ffff:7f00:1]/{canary}",
        "https://[::127.0.0.1]/{canary}",
        "https://[64:ff9b::7f00:1]/{canary}",
        "https://[::1%25lo]/{canary}",
        "https://[fd00:ec2::254]/{canary}",
        "https://169.254.169.254/{canary}",
        "https://169.254.43518/{canary}",
        "https://2852039166/{canary}",
        "https://0xa9fea9fe/{canary}",
        "https://0251.0376.0251.0376/{canary}",
        "https://app.example:9001/{canary}",
        "https://app.example@127.0.0.1/{canary}",
        "https://127.0.0.1#@app.example/{canary}",
        "https://127.0.0.1\\@app.example/{canary}",
        "https://app.example/../{canary}",
        "http://app.example/{canary}",
        "http://127.0.0.1/{canary}",
        "https://xn--pp-6kc.example/{canary}",
    )
]


@dataclass
class LocalDns:
    """Knows some names and no other; remembers what it was asked."""

    names: Mapping[str, Sequence[str]]
    questions: list[str] = field(default_factory=list)

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.questions.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]


def in_production(dependencies: Dependencies, resolve: Resolve) -> httpx2.AsyncClient:
    """HTTP into the application under production's rules for ids and addresses."""
    fetcher = DocumentFetcher(loopback_allowed=False, resolve=resolve)
    clients = replace(dependencies.document_clients, fetcher=fetcher, local=False)
    app = create_app(replace(dependencies, document_clients=clients))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER)


def nothing_is_left(admin: psycopg.Connection[Any]) -> bool:
    counted = "SELECT (SELECT count(*) FROM app.clients) + (SELECT count(*) FROM app.sign_ins)"
    return admin.execute(counted).fetchone() == (0,)


async def test_no_forbidden_address_is_connected_to_in_any_clothes(
    driver: Driver,
    dependencies: Dependencies,
    database_admin: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    names = {f"row{number}.{DOMAIN}": row for number, row in enumerate(FORBIDDEN.values())}
    dns = LocalDns(names)
    driver.http = in_production(dependencies, dns)
    with connection_log() as connections:
        for host in names:
            driver.client_id = f"https://{host}/client.json"
            answer = await driver.authorize()
            assert_stays_on_a_page(answer)
            assert_nothing_echoed(answer, caplog)

    assert connections == []
    assert dns.questions == list(names)
    assert nothing_is_left(database_admin)


async def test_a_connection_would_have_been_seen() -> None:
    with connection_log() as connections:
        with pytest.raises(OSError, match="refused"), socket.socket() as one:
            one.connect(("127.0.0.1", 1))
        async with scripted_site(http(200, "{}", **JSON)) as site, httpx2.AsyncClient() as client:
            await client.get(site.url)

    assert connections == [("127.0.0.1", 1), ("127.0.0.1", int(site.url.rsplit(":", 1)[1]))]


async def test_no_spelling_of_an_address_is_even_looked_up(
    driver: Driver,
    dependencies: Dependencies,
    database_admin: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    dns = LocalDns({})
    driver.http = in_production(dependencies, dns)
    with connection_log() as connections:
        for driver.client_id in NO_IDS:
            answer = await driver.authorize()
            assert_stays_on_a_page(answer)
            assert_nothing_echoed(answer, caplog)

    assert (connections, dns.questions) == ([], [])
    assert nothing_is_left(database_admin)


async def test_nobody_below_looks_a_checked_name_up_again(
    driver: Driver, dependencies: Dependencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's resolver says another address at the second question: the metadata's."""
    asked: list[str] = []
    original = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != f"rebinding.{DOMAIN}":
            return original(host, port, *rest, **more)
        asked.append(host)
        address = "127.0.0.2" if len(asked) == 1 else "169.254.169.254"
        return original(address, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    fetcher = DocumentFetcher(loopback_allowed=True, resolve=system_addresses)
    clients = replace(dependencies.document_clients, fetcher=fetcher, local=False)
    app = create_app(replace(dependencies, document_clients=clients))
    driver.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER)
    driver.client_id = f"https://rebinding.{DOMAIN}/client.json"
    with connection_log() as connections:
        page = await driver.authorize()

    assert page.status_code == 503
    assert connections == [("127.0.0.2", 443)]
    assert asked == [f"rebinding.{DOMAIN}"]


def chunked(body: bytes, times: int) -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%s\r\n" % (len(body), body) for _ in range(times))


def described(client_id: object, **changes: Any) -> str:
    return json.dumps({"client_id": client_id, "redirect_uris": [WEB_REDIRECT], **changes})


async def test_whatever_a_host_sends_instead_of_its_document_is_refused(
    driver: Driver,
    dependencies: Dependencies,
    database_admin: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    driver.http = impatient(dependencies)
    async with scripted_site(http(200, "{}", **JSON)) as inner, scripted_site(b"") as host:
        for number, (name, (status, answer)) in enumerate(wrong_answers(inner.url).items()):
            driver.client_id = f"{host.url}/{number}.json"
            host.answers[:] = [answer.replace(b"ITSELF", driver.client_id.encode())]
            page = await driver.authorize()
            assert page.status_code == status, name
            assert "location" not in page.headers
            assert_nothing_echoed(page, caplog)

    assert inner.connections == 0
    assert nothing_is_left(database_admin)


def impatient(dependencies: Dependencies) -> httpx2.AsyncClient:
    """HTTP into the application whose patience is short; production's is five seconds."""
    assert FETCH_SECONDS_MAX == 5.0
    fetcher = DocumentFetcher(loopback_allowed=True, seconds_max=SHORT_SECONDS)
    clients = replace(dependencies.document_clients, fetcher=fetcher)
    app = create_app(replace(dependencies, document_clients=clients))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER)


def wrong_answers(inner_url: str) -> dict[str, tuple[int, bytes]]:
    """Status of the page, and what the host sends; ITSELF is the address of the document."""
    other = "https://claude.ai/oauth/mcp-oauth-client-metadata"
    huge = b"x" * (DOCUMENT_BYTES_MAX + 1)
    moved = {"Location": f"{inner_url}/{CANARY}"}
    ids = {
        "another's id": other,
        "another path": f"ITSELF/{CANARY}",
        "another spelling": "ITSELF#",
        "no id": None,
        "a list of ids": ["ITSELF"],
    }
    return {
        **{name: (400, http(200, described(one), **JSON)) for name, one in ids.items()},
        **{f"redirect {code}": (400, http(code, **moved)) for code in (301, 302, 303, 307, 308)},
        "says nothing": (503, HANG),
        "huge": (400, http(200, huge, **JSON)),
        "huge without length": (
            400,
            b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n" + huge,
        ),
        "huge in pieces": (400, chunked(b" " * 500, 200)),
        "huge header": (503, http(200, "{}", X_Long=CANARY * 20_000, **JSON)),
        "compressed": (400, http(200, "{}", Content_Encoding="gzip", **JSON)),
        "a page": (400, http(200, f"<p>{CANARY}</p>", Content_Type="text/html")),
        "a member twice": (
            400,
            http(200, '{"client_id": "ITSELF", "client_id": "ITSELF"}', **JSON),
        ),
        "a secret": (400, http(200, described("ITSELF", client_secret=CANARY), **JSON)),
    }
