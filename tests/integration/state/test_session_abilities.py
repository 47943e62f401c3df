"""What a session's client can do: what it said last, and no longer than the session."""

import psycopg

from shared.domain.identifiers import SessionId, new_id
from shared.state import session_abilities
from shared.state.database import Database
from tests.integration.state.pieces import add_grant, add_session, value


async def test_what_was_said_last_counts_and_goes_with_the_session(
    database: Database, database_admin: psycopg.Connection[object]
) -> None:
    session_id = (await add_session(database, await add_grant(database))).session_id
    heard = []
    async with database.transaction() as tx:
        for said in (True, True, False):
            await session_abilities.remember(tx, session_id, url_elicitation=said)
            heard.append(await session_abilities.has_url_elicitation(tx, session_id))
        unknown = await session_abilities.has_url_elicitation(tx, SessionId(new_id()))

    database_admin.execute("DELETE FROM app.access_tokens")
    database_admin.execute("DELETE FROM app.refresh_tokens")
    database_admin.execute("DELETE FROM app.sessions")

    assert (heard, unknown) == ([True, True, False], False)
    assert await value(database, "SELECT count(*) FROM app.session_abilities") == 0
