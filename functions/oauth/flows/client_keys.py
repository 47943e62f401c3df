"""Keys by reference: fetched from where their client publishes them, when an assertion needs them.

They come from a stranger's host by the same way as documents, with the same limits. A host that is
away never costs a client its registration: what cannot be checked now is answered with 503.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from functions.oauth.client_documents.failures import PASSING, DocumentFault, DocumentFaultError
from functions.oauth.flows.document_client import Fetcher
from functions.oauth.json_members import each_once
from functions.oauth.refusals import InvalidClientError
from shared.domain.client_documents import HOST_FETCHES_PER_MINUTE_MAX, fresh_seconds
from shared.domain.client_keys import KEYS_RETRY_SECONDS, StoredKeySet
from shared.domain.document_ids import DocumentId, parse_document_id
from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import client_documents, client_key_sets
from shared.state.database import Database
from shared.vault.client_assertions import UnusableKeysError, usable_keys

ASSERTION: Final = "client_assertion"
KEY_SET_BYTES_MAX: Final = 16_384
"""Several keys with their certificates; a document has less."""

# A robots' challenge looks like these, and is over when the host thinks better of us.
_MAY_PASS: Final = PASSING | {DocumentFault.REDIRECT, DocumentFault.CONTENT_TYPE}


class ClientKeysUnavailableError(UnavailableError):
    """The client's keys cannot be had at the moment."""

    code = ErrorCode.CLIENT_KEYS_UNAVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestKeys:
    """The newest keys there are, and why their host could not be asked for newer ones."""

    keys: Mapping[str, Any] | None
    fault: DocumentFault | None = None

    def refusal(self) -> ServiceError:
        """What a client hears whose assertion none of these keys has signed.

        While the host may know of other keys, that is no refusal.
        """
        if self.fault in _MAY_PASS:
            return ClientKeysUnavailableError({"document_fault": str(self.fault)})
        return InvalidClientError(ASSERTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKeys:
    """Fetches clients' keys and keeps them; ``local`` allows keys on loopback."""

    database: Database
    fetcher: Fetcher
    local: bool

    async def newest(self, jwks_uri: str, stored: StoredKeySet | None) -> NewestKeys:
        """The keys at ``jwks_uri``, fetched now, or what stands in for them.

        Raises:
            UnavailableError: the database is away.
        """
        fetched = await self._fetched(jwks_uri, stored)
        if not isinstance(fetched, DocumentFault):
            return NewestKeys(keys=fetched)
        last_good = None if stored is None else stored.last_good
        outcome = fetched.value if last_good is None else "last_known_good"
        metrics.count(MetricName.CLIENT_KEY_SETS, outcome=outcome)
        log.warning("client keys not available", document_fault=fetched.value, used=outcome)
        return NewestKeys(keys=last_good, fault=fetched)

    async def _fetched(
        self, jwks_uri: str, stored: StoredKeySet | None
    ) -> Mapping[str, Any] | DocumentFault:
        if stored is not None and stored.fault is not None:
            return DocumentFault(stored.fault)
        address = parse_document_id(jwks_uri, local=self.local)
        if address is None:
            return DocumentFault.BAD_ID
        async with self.database.transaction() as tx:
            fetches = await client_documents.count_fetch(tx, address.host)
        if fetches > HOST_FETCHES_PER_MINUTE_MAX:
            return DocumentFault.TOO_MANY_FETCHES
        try:
            # No transaction is open while a stranger's host is awaited.
            keys, seconds = await self._ask(address)
        except DocumentFaultError as error:
            async with self.database.transaction() as tx:
                await client_key_sets.store_failure(
                    tx, jwks_uri, fault=error.fault.value, retry_seconds=KEYS_RETRY_SECONDS
                )
            return error.fault
        metrics.count(MetricName.CLIENT_KEY_SETS, outcome="fetched")
        async with self.database.transaction() as tx:
            await client_key_sets.store(tx, jwks_uri, keys, fresh_seconds=seconds)
        return keys

    async def _ask(self, address: DocumentId) -> tuple[Mapping[str, Any], int]:
        """The keys, and for how many seconds they are fresh."""
        document = await self.fetcher.fetch(address)
        try:
            members = json.loads(document.body, object_pairs_hook=each_once)
            keys = usable_keys(members if isinstance(members, dict) else {})
        except UnusableKeysError:
            raise DocumentFaultError(DocumentFault.KEYS) from None
        except (ValueError, RecursionError):
            raise DocumentFaultError(DocumentFault.NOT_JSON) from None
        return keys, fresh_seconds(document.max_age_seconds)
