"""Our authorization codes, by hash; kept for a day after use, so that a replay is recognised.

Each is taken by one atomic statement (OAuth 2.1 section 4.1.3). Never look before taking.
"""

from dataclasses import dataclass
from typing import LiteralString

from shared.domain.identifiers import ClientId, GrantId
from shared.domain.sign_ins import CODE_SECONDS_MAX, NO_TIME, AuthorizationRequest, SpentTime
from shared.domain.tokens import TokenHash
from shared.state.database import Transaction

_ADD: LiteralString = """
    INSERT INTO app.authorization_codes
        (code_hash, grant_id, client_id, redirect_uri, scopes, resource, code_challenge,
         expires_at, total_milliseconds, own_milliseconds)
    VALUES (%(code_hash)s, %(grant_id)s, %(client_id)s, %(redirect_uri)s, %(scopes)s,
            %(resource)s, %(code_challenge)s, app.now() + make_interval(secs => %(seconds)s),
            %(total_milliseconds)s, %(own_milliseconds)s)
"""

# Ten callers at once queue on the row lock of the UPDATE. The first gets it; for the others the
# condition no longer holds after the wait, and the second branch tells them that it was used.
_TAKE: LiteralString = """
    WITH taken AS (
        UPDATE app.authorization_codes SET used_at = app.now()
         WHERE code_hash = %(code_hash)s AND used_at IS NULL
        RETURNING *
    )
    SELECT grant_id, client_id, redirect_uri, scopes, resource, code_challenge,
           total_milliseconds, own_milliseconds,
           expires_at <= app.now() AS expired, false AS replayed
      FROM taken
     UNION ALL
    SELECT grant_id, client_id, redirect_uri, scopes, resource, code_challenge,
           total_milliseconds, own_milliseconds,
           expires_at <= app.now() AS expired, true AS replayed
      FROM app.authorization_codes
     WHERE code_hash = %(code_hash)s AND NOT EXISTS (SELECT 1 FROM taken)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRecord:
    """What a code stands for. Only one that is neither expired nor replayed is good."""

    grant_id: GrantId
    client_id: ClientId
    redirect_uri: str
    scopes: tuple[str, ...]
    resource: str
    code_challenge: str
    expired: bool
    replayed: bool
    spent: SpentTime = NO_TIME


async def add(
    tx: Transaction,
    *,
    code_hash: TokenHash,
    grant_id: GrantId,
    request: AuthorizationRequest,
    spent: SpentTime = NO_TIME,
) -> None:
    """Store a new code that lives for ``CODE_SECONDS_MAX``."""
    await tx.execute(
        _ADD,
        {
            "code_hash": code_hash,
            "grant_id": grant_id,
            "client_id": request.client_id,
            "redirect_uri": request.redirect_uri,
            "scopes": list(request.scopes),
            "resource": request.resource,
            "code_challenge": request.code_challenge,
            "seconds": CODE_SECONDS_MAX,
            "total_milliseconds": spent.total_milliseconds,
            "own_milliseconds": spent.own_milliseconds,
        },
    )


async def take(tx: Transaction, *, code_hash: TokenHash) -> CodeRecord | None:
    """Use a code up; of any number of callers exactly one sees ``replayed`` False.

    The caller commits whatever it then decides: a wrong verifier burns the code.
    """
    found = await tx.row(_TAKE, {"code_hash": code_hash})
    if found is None:
        return None
    return CodeRecord(
        grant_id=GrantId(found["grant_id"]),
        client_id=ClientId(found["client_id"]),
        redirect_uri=found["redirect_uri"],
        scopes=tuple(found["scopes"]),
        resource=found["resource"],
        code_challenge=found["code_challenge"],
        expired=found["expired"],
        replayed=found["replayed"],
        spent=SpentTime(found["total_milliseconds"], found["own_milliseconds"]),
    )
