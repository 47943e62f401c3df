"""Statements of an operator who contains a client, a person or everybody, and of blocking clients.

They find and lock what is to end; grants end by ``grants.end``, as everywhere.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from shared.domain.containments import Everybody, Held, OneClient, OnePerson, Target
from shared.domain.identifiers import ClientId, GrantId, UpstreamSubject, UserId
from shared.state.database import Transaction


@dataclass(frozen=True, slots=True)
class _Whose:
    """The rows of a target in each table; false where the table has none of its."""

    grants: LiteralString
    sign_ins: LiteralString
    account_sign_ins: LiteralString
    approvals: LiteralString
    visits: LiteralString


_WHOSE: Final[dict[type[Target], _Whose]] = {
    OneClient: _Whose(
        grants="g.client_id = %(client_id)s",
        sign_ins="i.client_id = %(client_id)s",
        account_sign_ins="false",
        approvals="b.client_id = %(client_id)s",
        visits="false",
    ),
    # Whose a sign-in is shows only at its end.
    OnePerson: _Whose(
        grants="g.user_id = %(user_id)s",
        sign_ins="false",
        account_sign_ins="false",
        approvals="false",
        visits="v.user_id = %(user_id)s",
    ),
    Everybody: _Whose(
        grants="true", sign_ins="true", account_sign_ins="true", approvals="true", visits="true"
    ),
}

_NOW: LiteralString = "SELECT app.now() AS now"

_BLOCK: LiteralString = """
    UPDATE app.clients SET blocked_at = app.now()
     WHERE client_id = %(client_id)s AND blocked_at IS NULL
"""

_UNBLOCK: LiteralString = """
    UPDATE app.clients SET blocked_at = NULL
     WHERE client_id = %(client_id)s AND blocked_at IS NOT NULL
"""

_BLOCKED: LiteralString = """
    SELECT blocked_at IS NOT NULL AS blocked FROM app.clients WHERE client_id = %(client_id)s
"""

_PERSON: LiteralString = """
    SELECT user_id FROM app.users WHERE site = %(site)s AND subject = %(subject)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGrant:
    """A grant that is to end; its row is locked."""

    grant_id: GrantId
    user_id: UserId
    client_id: ClientId


async def now(tx: Transaction) -> datetime:
    """Database time."""
    found = await tx.row(_NOW)
    assert found is not None  # noqa: S101 - the statement always has a row
    moment: datetime = found["now"]
    return moment


async def block(tx: Transaction, client_id: ClientId) -> bool:
    """Block a client; False if it is unknown or blocked already.

    Waits for sign-ins that are just being stored for it: what comes after sees the block.
    """
    return await tx.execute(_BLOCK, {"client_id": client_id}) == 1


async def unblock(tx: Transaction, client_id: ClientId) -> bool:
    """Take a block back; False if there is none."""
    return await tx.execute(_UNBLOCK, {"client_id": client_id}) == 1


async def is_blocked(tx: Transaction, client_id: ClientId) -> bool | None:
    """Whether a client is blocked; None if there is no such client."""
    found = await tx.row(_BLOCKED, {"client_id": client_id})
    return None if found is None else bool(found["blocked"])


async def find_person(tx: Transaction, *, site: str, subject: UpstreamSubject) -> UserId | None:
    """The id here of a person of the site, or None."""
    found = await tx.row(_PERSON, {"site": site, "subject": subject})
    return None if found is None else UserId(found["user_id"])


async def held(tx: Transaction, target: Target, *, until: datetime) -> Held:
    """What there is of a target that began before ``until``."""
    whose = _WHOSE[type(target)]
    statement = f"""
        WITH live AS MATERIALIZED (
            SELECT g.grant_id FROM app.grants g
             WHERE g.status <> 'ended' AND g.created_at <= %(until)s AND {whose.grants}
        )
        SELECT (SELECT count(*) FROM live) AS grants,
               (SELECT count(*) FROM app.sessions s JOIN live USING (grant_id)
                 WHERE s.ended_at IS NULL) AS sessions,
               (SELECT count(*) FROM app.access_tokens t JOIN app.sessions s USING (session_id)
                  JOIN live USING (grant_id)
                 WHERE s.ended_at IS NULL AND t.expires_at > app.now()) AS access_tokens,
               (SELECT count(*) FROM app.authorization_codes a JOIN live USING (grant_id)
                 WHERE a.used_at IS NULL AND a.expires_at > app.now()) AS codes,
               (SELECT count(*) FROM app.sign_ins i
                 WHERE i.created_at <= %(until)s AND {whose.sign_ins})
               + (SELECT count(*) FROM app.account_sign_ins c
                   WHERE c.created_at <= %(until)s AND {whose.account_sign_ins}) AS sign_ins,
               (SELECT count(*) FROM app.browser_approvals b WHERE {whose.approvals}) AS approvals,
               (SELECT count(*) FROM app.account_visits v
                 WHERE v.created_at <= %(until)s AND {whose.visits}) AS visits
    """  # noqa: S608 - literals of this file
    found = await tx.row(statement, {**_named(target), "until": until})
    assert found is not None  # noqa: S101 - the statement always has a row
    return Held(**found)


async def next_grants(
    tx: Transaction, target: Target, *, until: datetime, after: GrantId, limit: int
) -> list[FoundGrant]:
    """Up to ``limit`` living grants of a target, locked, in one order for everybody.

    The lock comes before the end: a statement that waited for one would end what it saw of the
    other tables before the wait, and miss a session that was just opened.
    """
    statement = f"""
        SELECT g.grant_id, g.user_id, g.client_id FROM app.grants g
         WHERE g.status <> 'ended' AND g.created_at <= %(until)s AND g.grant_id > %(after)s
           AND {_WHOSE[type(target)].grants}
         ORDER BY g.grant_id LIMIT %(limit)s FOR NO KEY UPDATE
    """  # noqa: S608 - literals of this file
    params = {**_named(target), "until": until, "after": after, "limit": limit}
    return [
        FoundGrant(
            grant_id=GrantId(one["grant_id"]),
            user_id=UserId(one["user_id"]),
            client_id=ClientId(one["client_id"]),
        )
        for one in await tx.rows(statement, params)
    ]


async def forget_unfinished(
    tx: Transaction, target: Target, *, until: datetime, limit: int
) -> dict[str, int]:
    """Delete up to ``limit`` of each: sign-ins under way, approvals, visits; how many of each."""
    whose = _WHOSE[type(target)]
    tables: dict[str, tuple[LiteralString, LiteralString]] = {
        "sign_ins": ("app.sign_ins i", f"i.created_at <= %(until)s AND {whose.sign_ins}"),
        "account_sign_ins": (
            "app.account_sign_ins c",
            f"c.created_at <= %(until)s AND {whose.account_sign_ins}",
        ),
        "approvals": ("app.browser_approvals b", whose.approvals),
        "visits": ("app.account_visits v", f"v.created_at <= %(until)s AND {whose.visits}"),
    }
    params = {**_named(target), "until": until, "limit": limit}
    return {
        name: await tx.execute(_delete(table, condition), params)
        for name, (table, condition) in tables.items()
    }


def _delete(table: LiteralString, condition: LiteralString) -> LiteralString:
    return f"""
        DELETE FROM {table} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {table} WHERE {condition} LIMIT %(limit)s))
    """  # noqa: S608 - literals of this file


def _named(target: Target) -> dict[str, object]:
    match target:
        case OneClient(client_id):
            return {"client_id": client_id}
        case OnePerson(user_id):
            return {"user_id": user_id}
        case Everybody():
            return {}
