"""From which networks a session was used: digests that say no more than how many there were."""

import hashlib
from typing import Final, LiteralString

from shared.domain.identifiers import SessionId
from shared.state.database import Transaction

NETWORKS_MAX: Final = 64
"""So many are kept of a session; a further one says nothing new."""
NETWORKS_MANY: Final = 30
"""In a day: a telephone on a journey has fewer, and a hosted client's own are not counted."""

_NOTE: LiteralString = "SELECT app.note_session_network(%(session_id)s, %(hash)s, %(networks_max)s)"

_ON_MANY: LiteralString = """
    SELECT count(*) AS sessions FROM (
        SELECT session_id FROM app.session_networks
         WHERE seen_at > app.now() - interval '1 day'
         GROUP BY session_id HAVING count(*) >= %(networks)s
    ) AS shared
"""


async def note(tx: Transaction, session_id: SessionId, network: str) -> None:
    """A request with this session came from ``network``."""
    digest = hashlib.sha256(session_id.bytes + network.encode()).digest()[:16]
    await tx.execute(
        _NOTE, {"session_id": session_id, "hash": digest, "networks_max": NETWORKS_MAX}
    )


async def on_many(tx: Transaction, *, networks: int = NETWORKS_MANY) -> int:
    """How many sessions were used from at least so many networks within the last day."""
    found = await tx.row(_ON_MANY, {"networks": networks})
    return 0 if found is None else int(found["sessions"])
