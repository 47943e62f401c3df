"""Open sign-ins, each used once.

The row count of one statement is the decision; never look before acting.
"""

from typing import Any, LiteralString

from shared.domain.identifiers import ClientId, SignInId
from shared.domain.sign_ins import (
    NO_TIME,
    SIGN_IN_SECONDS_MAX,
    AuthorizationRequest,
    SignIn,
    SpentTime,
)
from shared.domain.tokens import TokenHash
from shared.state.database import Transaction

_BEGIN: LiteralString = """
    INSERT INTO app.sign_ins
        (sign_in_id, browser_hash, consent_hash, client_id, redirect_uri, client_state, scopes,
         resource, code_challenge, expires_at, total_milliseconds, own_milliseconds)
    VALUES (%(sign_in_id)s, %(browser_hash)s, %(consent_hash)s, %(client_id)s, %(redirect_uri)s,
            %(client_state)s, %(scopes)s, %(resource)s, %(code_challenge)s,
            app.now() + make_interval(secs => %(seconds)s), %(total_milliseconds)s,
            %(own_milliseconds)s)
"""

_FIND_FOR_CONSENT: LiteralString = """
    SELECT client_id, redirect_uri, client_state, scopes, resource, code_challenge
      FROM app.sign_ins
     WHERE sign_in_id = %(sign_in_id)s AND browser_hash = %(browser_hash)s
       AND consent_hash = %(consent_hash)s AND state_hash IS NULL AND expires_at > app.now()
"""

# The same state again is no second sign-in: a double click, or Back and Allow once more.
_SEND_UPSTREAM: LiteralString = """
    UPDATE app.sign_ins
       SET state_hash = %(state_hash)s,
           total_milliseconds = total_milliseconds + %(total_milliseconds)s,
           own_milliseconds = own_milliseconds + %(own_milliseconds)s
     WHERE sign_in_id = %(sign_in_id)s AND browser_hash = %(browser_hash)s
       AND consent_hash = %(consent_hash)s AND expires_at > app.now()
       AND (state_hash IS NULL OR state_hash = %(state_hash)s)
    RETURNING client_id, redirect_uri, client_state, scopes, resource, code_challenge
"""

_DENY: LiteralString = """
    DELETE FROM app.sign_ins
     WHERE sign_in_id = %(sign_in_id)s AND browser_hash = %(browser_hash)s
       AND consent_hash = %(consent_hash)s AND state_hash IS NULL AND expires_at > app.now()
    RETURNING client_id, redirect_uri, client_state, scopes, resource, code_challenge
"""

# An expired row is deleted by the attempt all the same, and is no answer.
_TAKE: LiteralString = """
    DELETE FROM app.sign_ins WHERE state_hash = %(state_hash)s
    RETURNING sign_in_id, browser_hash, client_id, redirect_uri, client_state, scopes, resource,
              code_challenge, total_milliseconds, own_milliseconds,
              expires_at > app.now() AS live
"""

_APPROVE: LiteralString = """
    INSERT INTO app.browser_approvals (browser_hash, client_id, redirect_uri, scopes, expires_at)
    VALUES (%(browser_hash)s, %(client_id)s, %(redirect_uri)s, %(scopes)s,
            app.now() + make_interval(secs => %(seconds)s))
    ON CONFLICT (browser_hash, client_id, redirect_uri)
    DO UPDATE SET scopes = excluded.scopes, expires_at = excluded.expires_at
"""

_IS_APPROVED: LiteralString = """
    SELECT 1 AS approved FROM app.browser_approvals
     WHERE browser_hash = %(browser_hash)s AND client_id = %(client_id)s
       AND redirect_uri = %(redirect_uri)s AND scopes @> %(scopes)s::text[]
       AND expires_at > app.now()
"""

_HAS_APPROVED: LiteralString = """
    SELECT 1 AS approved FROM app.browser_approvals
     WHERE browser_hash = %(browser_hash)s AND client_id = %(client_id)s
       AND redirect_uri = %(redirect_uri)s AND expires_at > app.now()
"""


async def begin(
    tx: Transaction,
    *,
    sign_in_id: SignInId,
    browser_hash: TokenHash,
    consent_hash: TokenHash,
    request: AuthorizationRequest,
    spent: SpentTime = NO_TIME,
) -> None:
    """Open a sign-in that lives for ``SIGN_IN_SECONDS_MAX``."""
    await tx.execute(
        _BEGIN,
        {
            "sign_in_id": sign_in_id,
            "browser_hash": browser_hash,
            "consent_hash": consent_hash,
            "client_id": request.client_id,
            "redirect_uri": request.redirect_uri,
            "client_state": request.client_state,
            "scopes": list(request.scopes),
            "resource": request.resource,
            "code_challenge": request.code_challenge,
            "seconds": SIGN_IN_SECONDS_MAX,
            **_as_parameters(spent),
        },
    )


async def find_for_consent(
    tx: Transaction, *, sign_in_id: SignInId, browser_hash: TokenHash, consent_hash: TokenHash
) -> AuthorizationRequest | None:
    """What the person is asked to agree to; None once it expired, was answered, or is foreign."""
    return _request_or_none(
        await tx.row(
            _FIND_FOR_CONSENT,
            {
                "sign_in_id": sign_in_id,
                "browser_hash": browser_hash,
                "consent_hash": consent_hash,
            },
        )
    )


async def send_upstream(
    tx: Transaction,
    *,
    sign_in_id: SignInId,
    browser_hash: TokenHash,
    consent_hash: TokenHash,
    state_hash: TokenHash,
    spent: SpentTime = NO_TIME,
) -> AuthorizationRequest | None:
    """Record the consent and the state sent to Drupal, once; None where there is nothing to.

    ``spent`` is added to what the sign-in has taken.
    """
    return _request_or_none(
        await tx.row(
            _SEND_UPSTREAM,
            {
                "sign_in_id": sign_in_id,
                "browser_hash": browser_hash,
                "consent_hash": consent_hash,
                "state_hash": state_hash,
                **_as_parameters(spent),
            },
        )
    )


async def deny(
    tx: Transaction, *, sign_in_id: SignInId, browser_hash: TokenHash, consent_hash: TokenHash
) -> AuthorizationRequest | None:
    """End a sign-in that the person refused; None where there is none to refuse."""
    return _request_or_none(
        await tx.row(
            _DENY,
            {
                "sign_in_id": sign_in_id,
                "browser_hash": browser_hash,
                "consent_hash": consent_hash,
            },
        )
    )


async def take(tx: Transaction, *, state_hash: TokenHash) -> SignIn | None:
    """Take the sign-in that a state from Drupal belongs to, once.

    The caller compares ``browser_hash`` with the cookie: a foreign browser burns the sign-in.
    """
    taken = await tx.row(_TAKE, {"state_hash": state_hash})
    if taken is None or not taken["live"]:
        return None
    return SignIn(
        sign_in_id=SignInId(taken["sign_in_id"]),
        request=_request(taken),
        browser_hash=TokenHash(taken["browser_hash"]),
        spent=SpentTime(taken["total_milliseconds"], taken["own_milliseconds"]),
    )


async def approve_in_browser(
    tx: Transaction, *, browser_hash: TokenHash, request: AuthorizationRequest, seconds: int
) -> None:
    """Remember for ``seconds`` that this browser's person agreed to this client."""
    await tx.execute(_APPROVE, {**_approval(browser_hash, request), "seconds": seconds})


async def is_approved(
    tx: Transaction, *, browser_hash: TokenHash, request: AuthorizationRequest
) -> bool:
    """Whether this browser's person agreed before to at least what ``request`` asks."""
    return await tx.row(_IS_APPROVED, _approval(browser_hash, request)) is not None


async def has_approved(
    tx: Transaction, *, browser_hash: TokenHash, client_id: ClientId, redirect_uri: str
) -> bool:
    """Whether this browser's person agreed before to this client at this address, to anything."""
    asked = {"browser_hash": browser_hash, "client_id": client_id, "redirect_uri": redirect_uri}
    return await tx.row(_HAS_APPROVED, asked) is not None


def _as_parameters(spent: SpentTime) -> dict[str, object]:
    """Its values for a statement."""
    return {
        "total_milliseconds": spent.total_milliseconds,
        "own_milliseconds": spent.own_milliseconds,
    }


def _approval(browser_hash: TokenHash, request: AuthorizationRequest) -> dict[str, object]:
    return {
        "browser_hash": browser_hash,
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "scopes": list(request.scopes),
    }


def _request_or_none(found: dict[str, Any] | None) -> AuthorizationRequest | None:
    return None if found is None else _request(found)


def _request(found: dict[str, Any]) -> AuthorizationRequest:
    return AuthorizationRequest(
        client_id=ClientId(found["client_id"]),
        redirect_uri=found["redirect_uri"],
        client_state=found["client_state"],
        scopes=tuple(found["scopes"]),
        resource=found["resource"],
        code_challenge=found["code_challenge"],
    )
