"""One GET of a client's document, from a host that a stranger chose.

The name is resolved once; every address of it must be public, and the connection goes to the very
address that was checked. Nothing is followed, nothing is kept, and all of it has one deadline.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx2

from functions.oauth.client_documents.addresses import may_connect
from functions.oauth.client_documents.failures import DocumentFault, DocumentFaultError
from shared.domain.document_ids import DocumentId
from shared.observability import request_context
from shared.observability.spans import SpanName
from shared.observability.tracing import span

FETCH_SECONDS_MAX: Final = 5.0
"""Over everything: resolution, connection, TLS, and each byte of the answer."""
ANSWER_SECONDS: Final = 2.0
"""Kept of the request's own time: the person is to hear whose fault it was, not that time is up."""
CONNECT_SHARE: Final = 0.4
"""Of the time, for one step of a connection: a dead address must leave time for the next."""
DOCUMENT_BYTES_MAX: Final = 5_120
ADDRESSES_MAX: Final = 16
"""More than this are no host's addresses but somebody's list."""
ADDRESSES_TRIED_MAX: Final = 3
USER_AGENT: Final = "drupalize-mcp"

_MAX_AGE = re.compile(
    r'(?:^|[\s,])max-age\s*=\s*"?(?P<seconds>[0-9]{1,9})"?(?:$|[\s,])', re.IGNORECASE
)
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])", re.IGNORECASE)
_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host and port, as texts; raises OSError where there are none."""


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A body that has not been understood yet, and for how many seconds its host vouches for it."""

    body: bytes
    max_age_seconds: int | None


async def system_addresses(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


class DocumentFetcher:
    """Fetches documents; keeps no connection, no cookie and no proxy of the environment."""

    def __init__(
        self,
        *,
        loopback_allowed: bool,
        authorities_file: str | None = None,
        resolve: Resolve = system_addresses,
        seconds_max: float = FETCH_SECONDS_MAX,
        bytes_max: int = DOCUMENT_BYTES_MAX,
    ) -> None:
        self._loopback_allowed = loopback_allowed
        self._authorities_file = authorities_file
        self._resolve = resolve
        self._seconds_max = seconds_max
        self._bytes_max = bytes_max
        self._tls: ssl.SSLContext | None = None

    async def fetch(self, document_id: DocumentId) -> FetchedDocument:
        """Get the document.

        Raises:
            DocumentFaultError: whatever the reason, at the latest when the time is up.
        """
        left = request_context.remaining_seconds() - ANSWER_SECONDS
        seconds = max(0.0, min(self._seconds_max, left))
        try:
            with span(SpanName.CLIENT_DOCUMENT):
                async with asyncio.timeout(seconds):
                    addresses = await self._checked_addresses(document_id)
                    return await self._first_answer(document_id, addresses)
        except TimeoutError:
            raise DocumentFaultError(DocumentFault.TIMEOUT) from None

    async def _checked_addresses(self, document_id: DocumentId) -> Sequence[str]:
        """Every address of the name, each of them allowed: one bad one spoils all."""
        try:
            addresses = await self._resolve(document_id.host, document_id.port)
        except (OSError, UnicodeError):
            raise DocumentFaultError(DocumentFault.NOT_RESOLVED) from None
        if not addresses:
            raise DocumentFaultError(DocumentFault.NOT_RESOLVED)
        allowed = (
            may_connect(address, loopback_allowed=self._loopback_allowed) for address in addresses
        )
        if len(addresses) > ADDRESSES_MAX or not all(allowed):
            raise DocumentFaultError(DocumentFault.FORBIDDEN_ADDRESS)
        return addresses

    async def _first_answer(
        self, document_id: DocumentId, addresses: Sequence[str]
    ) -> FetchedDocument:
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._get(document_id, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue  # this one is not there; the next may be
            except (httpx2.HTTPError, httpx2.InvalidURL):
                break
        raise DocumentFaultError(DocumentFault.NO_CONNECTION)

    async def _get(self, document_id: DocumentId, address: str) -> FetchedDocument:
        named = httpx2.URL(document_id.text)
        async with (
            self._client() as client,
            client.stream(
                "GET",
                named.copy_with(host=address),
                headers={"Host": named.netloc.decode("ascii")},
                # The certificate must be the name's, though the connection goes to the address.
                extensions={"sni_hostname": document_id.host},
            ) as answer,
        ):
            _check_head(answer.status_code, answer.headers)
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > self._bytes_max:
                    raise DocumentFaultError(DocumentFault.TOO_LARGE)
            return FetchedDocument(bytes(body), _max_age_seconds(answer.headers))

    def _client(self) -> httpx2.AsyncClient:
        if self._tls is None:
            self._tls = _tls(self._authorities_file)
        return httpx2.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            # The whole has its own deadline.
            timeout=httpx2.Timeout(None, connect=self._seconds_max * CONNECT_SHARE),
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )


def _check_head(status: int, headers: Mapping[str, str]) -> None:
    if 300 <= status < 400:
        raise DocumentFaultError(DocumentFault.REDIRECT)
    if status != 200:
        raise DocumentFaultError(DocumentFault.STATUS)
    if _JSON_TYPE.fullmatch(headers.get("content-type", "").strip()) is None:
        raise DocumentFaultError(DocumentFault.CONTENT_TYPE)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise DocumentFaultError(DocumentFault.CONTENT_TYPE)


def _max_age_seconds(headers: Mapping[str, str]) -> int | None:
    """What ``Cache-Control`` allows (RFC 9111 section 5.2.2); None where it says nothing."""
    text = headers.get("cache-control", "")
    if _NOT_KEPT.search(text):
        return 0
    found = _MAX_AGE.search(text)
    return int(found["seconds"]) if found else None


def _tls(authorities_file: str | None) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    if authorities_file is not None:
        context.load_verify_locations(authorities_file)
    return context
