"""Each known client gets in as it does in the field, and so does the SDK's, however it is known."""

import asyncio
import json
from pathlib import Path

import psycopg
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl

from functions.oauth.client_documents import content
from scripts.local_stack.client import ClientMemory
from scripts.local_stack.functions import DATABASE
from scripts.local_stack.local_clients import LOCAL_CLIENT_ID, LOCAL_REDIRECT_URI
from shared.domain import redirects
from shared.domain.client_documents import has_drifted
from shared.domain.document_ids import parse_document_id
from shared.domain.known_clients import KNOWN_CLIENTS, KnownClient
from shared.state import client_documents
from shared.state.database import Database
from tests.journeys.replayed_client import (
    FOLDER,
    PublishedDocument,
    by_document,
    published_documents,
    replay,
    transcript_of,
)
from tests.journeys.world import World, running_world


def families_signed_in(world: World) -> set[str]:
    with psycopg.connect(world.stack.postgres.conninfo(DATABASE)) as connection:
        rows = connection.execute(
            "SELECT details->>'client_family' FROM app.audit_events"
            " WHERE action = 'sign_in:completed'"
        ).fetchall()
    return {row[0] for row in rows}


async def sign_in_as_a_client_of_the_settings(world: World) -> None:
    given = OAuthClientInformationFull(
        client_id=LOCAL_CLIENT_ID,
        redirect_uris=[AnyUrl(LOCAL_REDIRECT_URI)],
        token_endpoint_auth_method="none",
    )
    memory = ClientMemory(registration=given)
    async with world.client(memory) as client:
        assert (await client.list_tools()).tools
    assert memory.registration == given


async def fetched(world: World, published: list[PublishedDocument]) -> None:
    """Every document is in the cache, as after a fetch: no test may ask the vendors' hosts."""
    database = Database(world.stack.postgres.conninfo(DATABASE))
    async with database.transaction() as tx:
        for one in published:
            document_id = parse_document_id(one.client_id, local=False)
            assert document_id is not None
            read = content.parse(json.dumps(one.document).encode(), document_id)
            assert not has_drifted(one.client_id, read)
            await client_documents.store(tx, one.client_id, read, fresh_seconds=86_400)
    await database.close()


def documents_signed_in(world: World) -> set[str]:
    with psycopg.connect(world.stack.postgres.conninfo(DATABASE)) as connection:
        rows = connection.execute(
            "SELECT client_id FROM app.audit_events"
            " WHERE action = 'sign_in:completed' AND client_id LIKE 'https:%'"
        ).fetchall()
    return {row[0] for row in rows}


async def test_every_known_client_and_the_sdks_get_in(tmp_path: Path) -> None:
    published = published_documents()
    async with running_world(tmp_path, front="edge") as world:
        for known in KNOWN_CLIENTS:
            await replay(transcript_of(known.family.value), world)
        await fetched(world, published)
        for one in published:
            await replay(by_document(transcript_of(one.client), one), world)
        await sign_in_as_a_client_of_the_settings(world)
        signed_in = await asyncio.to_thread(families_signed_in, world)
        by_address = await asyncio.to_thread(documents_signed_in, world)

    assert signed_in == {*(known.family.value for known in KNOWN_CLIENTS), "other"}
    assert by_address == {address for known in KNOWN_CLIENTS for address in known.document_ids}


def test_every_known_client_has_a_transcript_that_returns_where_its_record_says() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {known.family for known in KNOWN_CLIENTS}
    for known in KNOWN_CLIENTS:
        transcript = transcript_of(known.family.value)
        returns = [step.sign_in.redirect_uri for step in transcript.steps if step.sign_in]
        assert transcript.client == known.family.value
        assert returns
        assert all(returns_where_it_says(known, uri) for uri in returns)


def returns_where_it_says(known: KnownClient, uri: str) -> bool:
    plain = redirects.without_loopback_port(uri)
    said = [redirects.without_loopback_port(one) for one in known.shared_redirects]
    return any(
        plain == one or (one.endswith("/*") and plain.startswith(one[:-1]))
        for one in [*said, *known.own_redirects]
    )
