"""What the client of a session can do, as it said when it introduced itself."""

from typing import LiteralString

from shared.domain.identifiers import SessionId
from shared.state.database import Transaction

# A client introduces itself with every conversation, and says the same nearly always.
_REMEMBER: LiteralString = """
    INSERT INTO app.session_abilities AS a (session_id, url_elicitation)
    VALUES (%(session_id)s, %(url_elicitation)s)
    ON CONFLICT (session_id) DO UPDATE SET url_elicitation = excluded.url_elicitation
     WHERE a.url_elicitation <> excluded.url_elicitation
"""

_URL_ELICITATION: LiteralString = """
    SELECT url_elicitation FROM app.session_abilities WHERE session_id = %(session_id)s
"""


async def remember(tx: Transaction, session_id: SessionId, *, url_elicitation: bool) -> None:
    """Keep what the client said last."""
    await tx.execute(_REMEMBER, {"session_id": session_id, "url_elicitation": url_elicitation})


async def has_url_elicitation(tx: Transaction, session_id: SessionId) -> bool:
    """Whether the client can show a person a link; False if it never said."""
    found = await tx.row(_URL_ELICITATION, {"session_id": session_id})
    return found is not None and bool(found["url_elicitation"])
