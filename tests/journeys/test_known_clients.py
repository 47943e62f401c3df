"""Each known client gets in as it does in the field, and so does the SDK's, however it is known."""

import asyncio
from pathlib import Path

import psycopg
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl

from scripts.local_stack.client import ClientMemory
from scripts.local_stack.functions import DATABASE
from scripts.local_stack.local_clients import LOCAL_CLIENT_ID, LOCAL_REDIRECT_URI
from shared.domain import redirects
from shared.domain.known_clients import KNOWN_CLIENTS, KnownClient
from tests.journeys.replayed_client import FOLDER, replay, transcript_of
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


async def test_every_known_client_and_the_sdks_get_in(tmp_path: Path) -> None:
    async with running_world(tmp_path, front="edge") as world:
        for known in KNOWN_CLIENTS:
            await replay(transcript_of(known.family.value), world)
        await sign_in_as_a_client_of_the_settings(world)
        signed_in = await asyncio.to_thread(families_signed_in, world)

    assert signed_in == {*(known.family.value for known in KNOWN_CLIENTS), "other"}


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
