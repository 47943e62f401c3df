"""A client whose id is the address of its document: its row is brought up to date before sign-in.

Only a new sign-in comes here. Codes and refresh tokens are exchanged by the stored row, so that
nobody is signed out because a client's website is away.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from functions.oauth.client_documents import content as document_content
from functions.oauth.client_documents.failures import (
    ClientDocumentInvalidError,
    DocumentFault,
    DocumentFaultError,
)
from functions.oauth.client_documents.fetcher import FetchedDocument
from shared.domain.client_documents import (
    HOST_FETCHES_PER_MINUTE_MAX,
    RETRY_SECONDS,
    RETRY_SECONDS_COVERED,
    DocumentContent,
    StoredDocument,
    fresh_seconds,
    has_drifted,
    pinned_document,
)
from shared.domain.document_ids import DocumentId, parse_document_id
from shared.domain.identifiers import ClientId
from shared.domain.known_clients import client_family
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import audit_events, client_documents
from shared.state.audit_events import AuditAction
from shared.state.database import Database, Transaction

UNUSED_SECONDS: Final = 86_400


class Fetcher(Protocol):
    """Gets documents from their hosts."""

    async def fetch(self, document_id: DocumentId) -> FetchedDocument:
        """The document, or a DocumentFaultError."""


@dataclass(frozen=True, slots=True)
class _StandIn:
    """What is used in place of a document that cannot be had."""

    content: DocumentContent
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentClients:
    """Brings the rows of such clients up to date; ``local`` allows documents on loopback."""

    database: Database
    fetcher: Fetcher
    local: bool

    async def bring_up_to_date(self, client_id: str) -> None:
        """Have the row of this client say what its document says.

        Raises:
            ClientDocumentInvalidError: the id or the document is not acceptable.
            ClientDocumentUnavailableError: it cannot be had, and nothing may stand in for it.
            UnavailableError: the database is away.
        """
        document_id = parse_document_id(client_id, local=self.local)
        if document_id is None:
            metrics.count(MetricName.CLIENT_DOCUMENTS, outcome=DocumentFault.BAD_ID.value)
            raise ClientDocumentInvalidError({"document_fault": DocumentFault.BAD_ID.value})
        async with self.database.transaction() as tx:
            stored = await client_documents.find(tx, client_id)
            if stored is not None and stored.is_fresh and stored.content is not None:
                await _use(tx, client_id, stored.content, known=stored.has_client)
                return
            fault = await _reason_not_to_fetch(tx, stored, document_id)
        # No transaction is open while a stranger's host is awaited.
        fetched = fault or await self._fetched(document_id)
        if isinstance(fetched, DocumentFault):
            await self._without(client_id, stored, fetched, tried=fault is None)
        else:
            await self._with(client_id, stored, *fetched)

    async def _fetched(
        self, document_id: DocumentId
    ) -> tuple[DocumentContent, int] | DocumentFault:
        """The content, and for how many seconds it is fresh; or what was wrong."""
        try:
            document = await self.fetcher.fetch(document_id)
            content = document_content.parse(document.body, document_id, local=self.local)
        except DocumentFaultError as error:
            return error.fault
        return content, fresh_seconds(document.max_age_seconds)

    async def _with(
        self, client_id: str, stored: StoredDocument | None, content: DocumentContent, seconds: int
    ) -> None:
        metrics.count(MetricName.CLIENT_DOCUMENTS, outcome="fetched")
        drifted = has_drifted(client_id, content)
        if drifted:
            metrics.count(
                MetricName.CLIENT_DOCUMENT_DRIFTS,
                client_family=client_family(content.as_client(client_id)).value,
            )
        async with self.database.transaction() as tx:
            await client_documents.store(tx, client_id, content, fresh_seconds=seconds)
            await _use(tx, client_id, content)
            previous = None if stored is None else stored.content
            if previous == content:
                return
            await audit_events.append(
                tx,
                AuditAction.CLIENT_DOCUMENT_READ,
                client_id=ClientId(client_id),
                details={"changed": previous is not None, "differs_from_pin": drifted},
            )

    async def _without(
        self, client_id: str, stored: StoredDocument | None, fault: DocumentFault, *, tried: bool
    ) -> None:
        stand_in = _stand_in(client_id, stored)
        outcome = fault.value if stand_in is None else stand_in.name
        metrics.count(MetricName.CLIENT_DOCUMENTS, outcome=outcome)
        log.warning("client document not available", document_fault=fault.value, used=outcome)
        async with self.database.transaction() as tx:
            if tried:
                await client_documents.store_failure(
                    tx,
                    client_id,
                    fault=fault.value,
                    retry_seconds=RETRY_SECONDS_COVERED if stand_in else RETRY_SECONDS,
                )
            if stand_in is not None:
                await _use(tx, client_id, stand_in.content)
                if tried:
                    await audit_events.append(
                        tx,
                        AuditAction.CLIENT_DOCUMENT_FAILED,
                        client_id=ClientId(client_id),
                        details={"fault": fault.value, "used": stand_in.name},
                    )
        if stand_in is None:
            raise DocumentFaultError(fault).as_service_error()


async def _reason_not_to_fetch(
    tx: Transaction, stored: StoredDocument | None, document_id: DocumentId
) -> DocumentFault | None:
    if stored is not None and stored.fault is not None:
        return DocumentFault(stored.fault)
    fetches = await client_documents.count_fetch(tx, document_id.host)
    return DocumentFault.TOO_MANY_FETCHES if fetches > HOST_FETCHES_PER_MINUTE_MAX else None


def _stand_in(client_id: str, stored: StoredDocument | None) -> _StandIn | None:
    """The last one that was good, else the pin: the host's own word comes first."""
    if stored is not None and stored.last_good is not None:
        return _StandIn(stored.last_good, "last_known_good")
    pinned = pinned_document(client_id)
    return None if pinned is None else _StandIn(pinned, "pinned")


async def _use(
    tx: Transaction, client_id: str, content: DocumentContent, *, known: bool = False
) -> None:
    if not known:
        client = content.as_client(client_id)
        await client_documents.put_client(tx, client, unused_seconds=UNUSED_SECONDS)
