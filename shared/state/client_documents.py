"""The cache of clients' documents, and how often each host was asked in the running minute.

Never decides whether a document may still be used: that is the domain's.
"""

import math
from dataclasses import asdict
from typing import Any, LiteralString

from psycopg.types.json import Json

from shared.domain.client_documents import AuthMethod, DocumentContent, StoredDocument
from shared.domain.clients import Client
from shared.state.database import Transaction

_FIND: LiteralString = """
    SELECT d.document,
           extract(epoch FROM app.now() - d.fetched_at)::double precision AS age_seconds,
           coalesce(d.fresh_until > app.now(), false) AS is_fresh,
           CASE WHEN d.retry_at > app.now() THEN d.fault END AS fault,
           EXISTS (SELECT 1 FROM app.clients c WHERE c.client_id = d.client_id) AS has_client
      FROM app.client_documents d WHERE d.client_id = %(client_id)s
"""

_STORE: LiteralString = """
    INSERT INTO app.client_documents (client_id, document, fetched_at, fresh_until)
    VALUES (%(client_id)s, %(document)s, app.now(),
            app.now() + make_interval(secs => %(fresh_seconds)s))
    ON CONFLICT (client_id) DO UPDATE
       SET document = EXCLUDED.document, fetched_at = EXCLUDED.fetched_at,
           fresh_until = EXCLUDED.fresh_until, fault = NULL, retry_at = NULL,
           changed_at = app.now()
"""

# What was good stays: a failure is remembered beside it, never in its place.
_STORE_FAILURE: LiteralString = """
    INSERT INTO app.client_documents (client_id, fault, retry_at)
    VALUES (%(client_id)s, %(fault)s, app.now() + make_interval(secs => %(retry_seconds)s))
    ON CONFLICT (client_id) DO UPDATE
       SET fault = EXCLUDED.fault, retry_at = EXCLUDED.retry_at, changed_at = app.now()
"""

_COUNT_FETCH: LiteralString = """
    INSERT INTO app.client_document_hosts AS h (host, minute_began_at, fetches)
    VALUES (%(host)s, app.now(), 1)
    ON CONFLICT (host) DO UPDATE
       SET fetches = CASE WHEN h.minute_began_at > app.now() - interval '1 minute'
                          THEN least(h.fetches, 1000000) + 1 ELSE 1 END,
           minute_began_at = CASE WHEN h.minute_began_at > app.now() - interval '1 minute'
                                  THEN h.minute_began_at ELSE app.now() END
    RETURNING fetches
"""

_PUT_CLIENT: LiteralString = """
    SELECT app.put_document_client(
        %(client_id)s, %(client_name)s, %(client_uri)s, %(redirect_uris)s, %(keys)s,
        %(jwks_uri)s, %(must_authenticate)s, %(unused_seconds)s)
"""


async def find(tx: Transaction, client_id: str) -> StoredDocument | None:
    """What is known of this document, however old; None if it was never asked for."""
    found = await tx.row(_FIND, {"client_id": client_id})
    if found is None:
        return None
    age_seconds = found["age_seconds"]
    return StoredDocument(
        content=None if found["document"] is None else _content_of(found["document"]),
        age_seconds=math.inf if age_seconds is None else age_seconds,
        is_fresh=found["is_fresh"],
        fault=found["fault"],
        has_client=found["has_client"],
    )


async def store(
    tx: Transaction, client_id: str, content: DocumentContent, *, fresh_seconds: int
) -> None:
    """Keep a document that was just fetched, and use it for ``fresh_seconds`` without asking."""
    await tx.execute(
        _STORE,
        {
            "client_id": client_id,
            "document": Json(asdict(content)),
            "fresh_seconds": fresh_seconds,
        },
    )


async def store_failure(tx: Transaction, client_id: str, *, fault: str, retry_seconds: int) -> None:
    """Remember that a fetch failed; for ``retry_seconds`` nobody tries again."""
    await tx.execute(
        _STORE_FAILURE, {"client_id": client_id, "fault": fault, "retry_seconds": retry_seconds}
    )


async def count_fetch(tx: Transaction, host: str) -> int:
    """Count one more fetch from ``host``; how many there were in this minute, with this one."""
    row = await tx.row(_COUNT_FETCH, {"host": host})
    assert row is not None  # noqa: S101 - the statement returns a row in either case
    return int(row["fetches"])


async def put_client(tx: Transaction, client: Client, *, unused_seconds: int) -> None:
    """Store the client that a document describes, or what has changed in it."""
    await tx.execute(
        _PUT_CLIENT,
        {
            "client_id": client.client_id,
            "client_name": client.client_name,
            "client_uri": client.client_uri,
            "redirect_uris": list(client.redirect_uris),
            "keys": None if client.keys is None else Json(dict(client.keys)),
            "jwks_uri": client.jwks_uri,
            "must_authenticate": client.must_authenticate,
            "unused_seconds": unused_seconds,
        },
    )


def _content_of(document: dict[str, Any]) -> DocumentContent:
    return DocumentContent(
        client_name=document["client_name"],
        redirect_uris=tuple(document["redirect_uris"]),
        client_uri=document["client_uri"],
        auth_methods=tuple(AuthMethod(method) for method in document["auth_methods"]),
        keys=document["keys"],
        jwks_uri=document["jwks_uri"],
    )
