"""What the site listed as its tools for a person: one row each.

Never the place where a person's permission is decided: the site decides at every call.
"""

import json
from dataclasses import asdict
from typing import Final, LiteralString

from shared.domain.identifiers import UserId
from shared.domain.site_tools import SiteTool, SiteToolList
from shared.state.database import Transaction

FORM: Final = 1
"""Raised when ``SiteTool`` or the rules by which schemas are repaired change."""

_FIND: LiteralString = """
    SELECT tools, names, listed_at FROM app.tool_catalogue
     WHERE user_id = %(user_id)s AND form = %(form)s
"""

_STORE: LiteralString = """
    INSERT INTO app.tool_catalogue (user_id, form, tools, names, listed_at)
    VALUES (%(user_id)s, %(form)s, %(tools)s::json, %(names)s::jsonb, app.now())
    ON CONFLICT (user_id) DO UPDATE
       SET form = excluded.form, tools = excluded.tools, names = excluded.names,
           listed_at = excluded.listed_at
"""


async def find(tx: Transaction, user_id: UserId) -> SiteToolList | None:
    """The person's list, however old; None if there is none in the present form."""
    found = await tx.row(_FIND, {"user_id": user_id, "form": FORM})
    if found is None:
        return None
    return SiteToolList(
        tools=tuple(SiteTool(**tool) for tool in found["tools"]),
        names=found["names"],
        listed_at=found["listed_at"],
    )


async def store(tx: Transaction, user_id: UserId, listed: SiteToolList) -> None:
    """Put ``listed`` in place of what was there, as of the database's present."""
    await tx.execute(
        _STORE,
        {
            "user_id": user_id,
            "form": FORM,
            "tools": json.dumps([asdict(tool) for tool in listed.tools]),
            "names": json.dumps(dict(listed.names)),
        },
    )
