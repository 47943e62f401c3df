"""From which networks a session is used is noted once an hour, as digests, and never in the way."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from functions.mcp_endpoint.answers import Scope
from functions.mcp_endpoint.network_notes import NOTE_SECONDS, NetworkNotes
from shared.domain.caller_addresses import ToldAddresses
from shared.domain.identifiers import SessionId, new_id
from shared.state.database import Database
from shared.state.roles import AppRole
from tests.integration.mcp_endpoint.pieces import a_stack
from tests.unit.mcp_endpoint.pieces import tool_call

Admin = psycopg.Connection[Any]
SESSION = SessionId(new_id())
HOSTED = "160.79.104.7"


class Notes:
    """The notes over a database, by a clock that stands still."""

    def __init__(self, database: Database) -> None:
        self.now = 1_000.0
        self.own = NetworkNotes(database, ToldAddresses(["edge"]), monotonic=lambda: self.now)

    async def come_from(self, address: str, **headers: str) -> None:
        """A request from this address, with these headers."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        scope: Scope = {
            "type": "http",
            "client": (address, 0),
            "headers": [(name.encode(), value.encode()) for name, value in names.items()],
        }
        await self.own.note(scope, SESSION)


@pytest.fixture
async def notes(database_url: str) -> AsyncIterator[Notes]:
    database = Database(make_conninfo(database_url, user=AppRole.MCP_ENDPOINT.value))
    yield Notes(database)
    await database.close()


def kept(admin: Admin) -> int:
    row = admin.execute("SELECT count(*) FROM app.session_networks").fetchone()
    assert row is not None
    return int(row[0])


async def test_a_network_is_a_24_or_a_48_and_no_address_is_kept(
    notes: Notes, database_admin: Admin
) -> None:
    for address in ("198.51.100.7", "198.51.100.200", "198.51.101.7"):
        await notes.come_from(address)
    for address in ("2001:db8:1:2::7", "2001:db8:1:3::7", "2001:db8:2::7", "not an address"):
        await notes.come_from(address)

    assert kept(database_admin) == 4
    hashes = database_admin.execute("SELECT network_hash FROM app.session_networks").fetchall()
    assert all(len(digest) == 16 and b"198" not in digest for (digest,) in hashes)


async def test_addresses_behind_which_many_people_are_are_not_noted(
    notes: Notes, database_admin: Admin
) -> None:
    await notes.come_from(HOSTED)
    await notes.come_from("127.0.0.1")
    await notes.come_from("198.51.100.7", x_viewer_address=HOSTED, x_origin_secret="edge")

    assert kept(database_admin) == 0


async def test_only_the_edge_may_say_where_a_request_comes_from(
    notes: Notes, database_admin: Admin
) -> None:
    await notes.come_from("198.51.100.7", x_viewer_address="203.0.113.7", x_origin_secret="edge")
    await notes.come_from("203.0.113.8", x_viewer_address="192.0.2.7", x_origin_secret="forged")

    assert kept(database_admin) == 1


async def test_the_same_network_costs_a_statement_an_hour(
    notes: Notes, database_admin: Admin
) -> None:
    await notes.come_from("198.51.100.7")
    database_admin.execute("DELETE FROM app.session_networks")
    await notes.come_from("198.51.100.8")
    in_between = kept(database_admin)
    notes.now += NOTE_SECONDS

    await notes.come_from("198.51.100.8")

    assert (in_between, kept(database_admin)) == (0, 1)


async def test_a_database_that_is_away_costs_the_note_and_nothing_else() -> None:
    notes = Notes(Database("host=127.0.0.1 port=9 dbname=none user=none"))

    await notes.come_from("198.51.100.7")


async def test_the_composed_function_notes_what_the_edge_says(
    database_url: str, kms_key_id: str, database_admin: Admin
) -> None:
    async with a_stack(database_url, kms_key_id, origin_secret="edge former") as stack:
        maya = await stack.sign_in("maya")
        headers = {
            "authorization": f"Bearer {maya.token}",
            "mcp-protocol-version": "2025-11-25",
            "x-viewer-address": "203.0.113.7",
            "x-origin-secret": "former",
        }
        async with httpx2.AsyncClient(timeout=20) as http:
            answer = await http.post(stack.url, json=tool_call("account_status"), headers=headers)

    assert answer.status_code == 200
    assert kept(database_admin) == 1
