"""One GET on behalf of a stranger, against real servers: bounded, pinned to what was checked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from functions.oauth.client_documents.failures import DocumentFault, DocumentFaultError
from functions.oauth.client_documents.fetcher import (
    DOCUMENT_BYTES_MAX,
    FETCH_SECONDS_MAX,
    DocumentFetcher,
    Resolve,
    system_addresses,
)
from shared.domain.document_ids import DocumentId
from tests.support.certificates import Authority
from tests.support.scripted_site import HANG, ScriptedSite, http, scripted_site

SHORT_SECONDS = 0.3
NAME = "client.example"
JSON = {"Content_Type": "application/json"}

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class LocalDns:
    """Answers in order, the last one again and again, and counts the questions."""

    answers: list[Sequence[str]]
    questions: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.questions.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def at(port: int, *, scheme: str = "http", host: str = NAME) -> DocumentId:
    """The document of a host and port; as if its spelling had passed every rule."""
    shown = f"[{host}]" if ":" in host else host
    return DocumentId(text=f"{scheme}://{shown}:{port}/client.json", host=host, port=port)


def port_of(site: ScriptedSite) -> int:
    return int(site.url.rsplit(":", 1)[1])


def fetcher(
    *addresses: str, loopback_allowed: bool = True, seconds_max: float = FETCH_SECONDS_MAX
) -> DocumentFetcher:
    return DocumentFetcher(
        loopback_allowed=loopback_allowed,
        resolve=LocalDns([addresses or ("127.0.0.1",)]),
        seconds_max=seconds_max,
    )


async def fault_of(fetching: DocumentFetcher, document_id: DocumentId) -> DocumentFault:
    with pytest.raises(DocumentFaultError) as caught:
        await fetching.fetch(document_id)
    return caught.value.fault


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback; its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_document_is_fetched_as_its_host_sends_it() -> None:
    async with scripted_site(http(200, b'{"a": 1}', Cache_Control="max-age=60", **JSON)) as site:
        fetched = await fetcher().fetch(at(port_of(site)))

    assert fetched.body == b'{"a": 1}'
    assert fetched.max_age_seconds == 60
    head = site.requests[0].lower()
    assert head.startswith(b"get /client.json http/1.1\r\n")
    assert f"host: {NAME}:{port_of(site)}\r\n".encode() in head
    assert b"accept-encoding: identity" in head
    assert b"cookie" not in head
    assert b"authorization" not in head


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("max-age=600", 600),
        ("public, max-age=600, must-revalidate", 600),
        ('MAX-AGE = "600"', 600),
        ("s-maxage=600", None),
        ("max-age=-1", None),
        ("max-age=many", None),
        ("no-store", 0),
        ("no-cache, max-age=600", 0),
        ("", None),
    ],
)
async def test_what_cache_control_says_is_told(header: str, seconds: int | None) -> None:
    async with scripted_site(http(200, b"{}", Cache_Control=header, **JSON)) as site:
        fetched = await fetcher().fetch(at(port_of(site)))

    assert fetched.max_age_seconds == seconds


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",  # noqa: S104 - refused, not bound
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::80ff:fffe",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "fe80::1%lo",
        "10.0.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "",
        "localhost",
    ],
)
async def test_a_forbidden_address_is_never_connected_to(address: str) -> None:
    async with scripted_site(http(200, b"{}", **JSON)) as site:
        fetching = fetcher(address, loopback_allowed=False)
        fault = await fault_of(fetching, at(port_of(site)))

    assert fault is DocumentFault.FORBIDDEN_ADDRESS
    assert site.connections == 0


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1"]
)
async def test_loopback_is_found_out_however_it_is_spelt(host: str) -> None:
    async with scripted_site(http(200, b"{}", **JSON)) as site:
        port = port_of(site)
        assert "127.0.0.1" in await system_addresses(host, port)
        fault = await fault_of(DocumentFetcher(loopback_allowed=False), at(port, host=host))

    assert fault is DocumentFault.FORBIDDEN_ADDRESS
    assert site.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1", "93.184.215.14"),
        ("127.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        tuple(f"127.0.0.{number}" for number in range(1, 18)),
    ],
    ids=["loopback-first", "private-last", "mapped-last", "too-many"],
)
async def test_one_forbidden_address_spoils_all_of_them(addresses: tuple[str, ...]) -> None:
    loopback_allowed = "93.184.215.14" not in addresses
    async with scripted_site(http(200, b"{}", **JSON)) as site:
        fetching = fetcher(*addresses, loopback_allowed=loopback_allowed)
        fault = await fault_of(fetching, at(port_of(site)))

    assert fault is DocumentFault.FORBIDDEN_ADDRESS
    assert site.connections == 0


async def test_a_name_that_is_bound_anew_after_the_check_gains_nothing() -> None:
    async with scripted_site(http(200, b"{}", **JSON)) as site:
        port = port_of(site)
        dns = LocalDns([["127.0.0.2"], ["127.0.0.1"]])
        fetching = DocumentFetcher(loopback_allowed=True, resolve=dns)
        # Nothing listens on 127.0.0.2, and the system would say 127.0.0.1 for this name.
        fault = await fault_of(fetching, at(port, host="localhost"))

    assert fault is DocumentFault.NO_CONNECTION
    assert dns.questions == [("localhost", port)]
    assert site.connections == 0


async def test_the_next_address_is_tried_where_nothing_listens() -> None:
    async with scripted_site(http(200, b"{}", **JSON)) as site:
        fetched = await fetcher("127.0.0.2", "127.0.0.1").fetch(at(port_of(site)))

    assert fetched.body == b"{}"
    assert site.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with scripted_site(http(200, b"{}", **JSON)) as inner:
        answer = http(status, b"", Location=f"{inner.url}/secret")
        async with scripted_site(answer) as site:
            fault = await fault_of(fetcher(), at(port_of(site)))

    assert fault is DocumentFault.REDIRECT
    assert inner.connections == 0
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (http(200, b"x" * (DOCUMENT_BYTES_MAX + 1), **JSON), DocumentFault.TOO_LARGE),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b"x" * 200_000,
            DocumentFault.TOO_LARGE,
        ),
        (http(200, b"{}", Content_Encoding="gzip", **JSON), DocumentFault.CONTENT_TYPE),
        (http(200, b"{}", Content_Type="text/html"), DocumentFault.CONTENT_TYPE),
        (http(200, b"{}", Content_Type="application/jsonp"), DocumentFault.CONTENT_TYPE),
        (http(200, b"{}"), DocumentFault.CONTENT_TYPE),
        (http(404, b"{}", **JSON), DocumentFault.STATUS),
        (http(403, b"bots are not welcome"), DocumentFault.STATUS),
        (http(204, b"", **JSON), DocumentFault.STATUS),
        (http(503), DocumentFault.STATUS),
        (b"SSH-2.0-OpenSSH\r\n\r\n", DocumentFault.NO_CONNECTION),
    ],
    ids=[
        "declared-too-large",
        "endless",
        "compressed",
        "html",
        "nearly-json",
        "no-type",
        "missing",
        "forbidden",
        "no-content",
        "away",
        "no-http",
    ],
)
async def test_what_is_no_small_json_document_is_refused(
    answer: bytes, fault: DocumentFault
) -> None:
    async with scripted_site(answer) as site:
        assert await fault_of(fetcher(), at(port_of(site))) is fault


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/cimd+json"])
async def test_every_kind_of_json_is_json(kind: str) -> None:
    async with scripted_site(http(200, b"{}", Content_Type=kind)) as site:
        assert (await fetcher().fetch(at(port_of(site)))).body == b"{}"


async def test_a_document_of_exactly_the_size_is_taken() -> None:
    body = b"x" * DOCUMENT_BYTES_MAX
    async with scripted_site(http(200, body, **JSON)) as site:
        assert (await fetcher().fetch(at(port_of(site)))).body == body


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One byte after another, as long as somebody listens."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    try:
        while not reader.at_eof():
            writer.write(b" ")
            await writer.drain()
            try:
                await asyncio.wait_for(reader.read(1), 0.02)
            except TimeoutError:
                continue
    except ConnectionError:
        pass
    finally:
        writer.close()


async def _headers_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    await _drip(reader, writer)


def test_all_of_it_has_five_seconds() -> None:
    assert FETCH_SECONDS_MAX == 5.0


@pytest.mark.parametrize("serve", [_drip, _headers_without_end], ids=["body", "headers"])
async def test_bytes_that_trickle_do_not_extend_the_time(serve: Serve) -> None:
    async with listening(serve) as port:
        fault = await fault_of(fetcher(seconds_max=SHORT_SECONDS), at(port))

    assert fault is DocumentFault.TIMEOUT


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_host_that_says_nothing_is_given_up(scheme: str) -> None:
    async with scripted_site(HANG) as site:
        document_id = at(port_of(site), scheme=scheme)
        fault = await fault_of(fetcher(seconds_max=SHORT_SECONDS), document_id)

    # Over TLS the connection's own time and that of all of it end together.
    assert fault in {DocumentFault.TIMEOUT, DocumentFault.NO_CONNECTION}


async def test_a_resolver_that_says_nothing_is_given_up() -> None:
    async def silent(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    resolve: Resolve = silent
    fetching = DocumentFetcher(loopback_allowed=True, resolve=resolve, seconds_max=SHORT_SECONDS)

    assert await fault_of(fetching, at(1)) is DocumentFault.TIMEOUT


async def test_a_name_without_addresses_is_not_resolved() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    fetching = DocumentFetcher(loopback_allowed=True, resolve=unknown)

    assert await fault_of(fetching, at(1)) is DocumentFault.NOT_RESOLVED
    empty = DocumentFetcher(loopback_allowed=True, resolve=LocalDns([[]]))
    assert await fault_of(empty, at(1)) is DocumentFault.NOT_RESOLVED


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted_site(http(200, b"{}", **JSON)) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with scripted_site(http(200, b"{}", **JSON)) as site:
            await fetcher().fetch(at(port_of(site)))

    assert proxy.connections == 0
    assert site.connections == 1


@asynccontextmanager
async def tls_server(authority: Authority, host: str) -> AsyncIterator[tuple[int, list[str]]]:
    """A server with a certificate for ``host``; its port, and the names it was asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(http(200, b"{}", **JSON))
        await writer.drain()
        writer.close()

    def named(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(f"sni {name}")

    context = authority.server_context(host)
    context.sni_callback = named
    async with listening(serve, context) as port:
        yield port, asked


async def test_the_certificate_is_that_of_the_name_though_the_address_is_dialled(
    tmp_path: Path,
) -> None:
    authority = Authority.create(tmp_path)
    async with tls_server(authority, NAME) as (port, asked):
        fetching = DocumentFetcher(
            loopback_allowed=True,
            authorities_file=str(authority.file),
            resolve=LocalDns([["127.0.0.1"]]),
        )
        await fetching.fetch(at(port, scheme="https"))

    assert asked[0] == f"sni {NAME}"
    assert f"host: {NAME}:{port}\r\n" in asked[1].lower()


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_certificate_of_another_name_or_authority_is_refused(
    tmp_path: Path, *, trusted: bool
) -> None:
    authority = Authority.create(tmp_path)
    async with tls_server(authority, "other.example" if trusted else NAME) as (port, asked):
        fetching = DocumentFetcher(
            loopback_allowed=True,
            authorities_file=str(authority.file) if trusted else None,
            resolve=LocalDns([["127.0.0.1"]]),
        )
        fault = await fault_of(fetching, at(port, scheme="https"))

    assert fault is DocumentFault.NO_CONNECTION
    assert asked == [f"sni {NAME}"]
