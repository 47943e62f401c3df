"""Signing in to the account page: Drupal says who it is, and its pair is burnt at once.

No client is involved, no grant comes of it, and no transaction is open while Drupal is awaited.
"""

import secrets
from dataclasses import dataclass, field
from uuid import UUID

from functions.oauth.browser_cookie import upstream_verifier
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.finish_sign_in import (
    BURN_SECONDS_MAX,
    SALT_BYTES,
    UPSTREAM_CODE_LENGTH_MAX,
    burn_quietly,
)
from functions.oauth.parameters import Parameters
from functions.oauth.refusals import AccountSignInExpiredError, AccountSignInRefusedError
from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import UserId, new_id
from shared.domain.tokens import PlainToken, TokenKind, has_shape, hash_token, mint
from shared.errors.base import ServiceError
from shared.observability import metrics, request_context
from shared.observability.metrics import MetricName
from shared.state import (
    account_sign_ins,
    account_visits,
    audit_events,
    discarded_pairs,
    suspended_grants,
    users,
)
from shared.state.audit_events import AuditAction
from shared.workflows.discard_pair import burn_listed, seal_discarded

CLEANUP_AFTER_SECONDS = 120.0
"""From then on the cleanup burns a pair that this request did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A person at the page: the new visit's secret, and whether a grant of theirs was suspended."""

    visit: PlainToken = field(repr=False)
    was_refused: bool


def is_ours(parameters: Parameters) -> bool:
    """Whether Drupal's answer belongs to a sign-in to the account page."""
    return has_shape(parameters.get("state") or "", TokenKind.ACCOUNT_STATE)


async def begin(dependencies: Dependencies, browser: PlainToken) -> str:
    """Open a sign-in for this browser; where the person goes."""
    state = mint(TokenKind.ACCOUNT_STATE)
    async with dependencies.database.autocommit() as tx:
        await account_sign_ins.begin(
            tx, state_hash=hash_token(state), browser_hash=hash_token(browser)
        )
    _count("begun")
    return dependencies.upstream.authorization_url(
        state=state, code_verifier=upstream_verifier(browser, state)
    )


async def finish(
    dependencies: Dependencies,
    parameters: Parameters,
    *,
    browser: PlainToken | None,
    earlier: PlainToken | None,
) -> Arrival:
    """Complete a sign-in. An ``earlier`` visit of this browser ends.

    Who can sign in at Drupal is not refused by it: suspended grants are tried by their next calls.

    Raises:
        AccountSignInExpiredError: no open sign-in of this browser has this state.
        AccountSignInRefusedError: the person refused at Drupal, or Drupal sent no usable code.
        UnavailableError: Drupal, database or key service is away.
    """
    state = PlainToken(parameters.get("state") or "")
    if browser is None or "state" in parameters.repeated:
        raise AccountSignInExpiredError
    # Before anything is used up: while the key service is away, reloading the page still works.
    await dependencies.vault.prepare()
    code = await _code(dependencies, parameters, state=state, browser=browser)
    pair = await dependencies.upstream.redeem_code(
        code,
        code_verifier=upstream_verifier(browser, state),
        timeout_seconds=min(
            dependencies.upstream_timeout_seconds, request_context.remaining_seconds()
        ),
    )
    pair_id, visit = new_id(), mint(TokenKind.ACCOUNT_VISIT)
    try:
        refused = await _store(dependencies, pair, pair_id=pair_id, visit=visit, earlier=earlier)
    except ServiceError:
        await burn_quietly(dependencies, pair)
        raise
    _count("completed")
    await burn_listed(
        dependencies.database,
        dependencies.upstream,
        pair,
        pair_id=pair_id,
        timeout_seconds=min(BURN_SECONDS_MAX, request_context.remaining_seconds() / 4),
    )
    return Arrival(visit=visit, was_refused=refused > 0)


async def _code(
    dependencies: Dependencies, parameters: Parameters, *, state: PlainToken, browser: PlainToken
) -> str:
    """Use the sign-in up; Drupal's code."""
    code, error = parameters.get("code"), parameters.get("error")
    usable = error is None and "code" not in parameters.repeated
    async with dependencies.database.transaction() as tx:
        taken = await account_sign_ins.take(
            tx, state_hash=hash_token(state), browser_hash=hash_token(browser)
        )
        if taken and usable and code and len(code) <= UPSTREAM_CODE_LENGTH_MAX:
            return code
        reason = "no_code" if taken else "not_open"
        await audit_events.append(
            tx, AuditAction.ACCOUNT_SIGN_IN_REFUSED, details={"reason": reason}
        )
    _count(reason)
    raise AccountSignInRefusedError if taken else AccountSignInExpiredError


async def _store(
    dependencies: Dependencies,
    pair: UpstreamPair,
    *,
    pair_id: UUID,
    visit: PlainToken,
    earlier: PlainToken | None,
) -> int:
    """The visit, and the pair on the list of what is to be burnt, stand or fall together.

    The person's row comes first, on its own: sealing needs its salt and may need the connection.
    How many grants were suspended.
    """
    async with dependencies.database.transaction() as tx:
        user_id, salt = await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site=dependencies.site,
            subject=pair.subject,
            salt=secrets.token_bytes(SALT_BYTES),
        )
    sealed = await seal_discarded(
        dependencies.vault, pair, pair_id=pair_id, user_id=user_id, user_salt=salt
    )
    async with dependencies.database.transaction() as tx:
        await discarded_pairs.add(
            tx, pair_id=pair_id, user_id=user_id, pair=sealed, seconds=CLEANUP_AFTER_SECONDS
        )
        if earlier is not None:
            await account_visits.end(tx, hash_token(earlier))
        await account_visits.open_visit(tx, visit_hash=hash_token(visit), user_id=user_id)
        await audit_events.append(tx, AuditAction.ACCOUNT_SIGNED_IN, user_id=user_id)
        return await suspended_grants.make_due(tx, user_id)


def _count(outcome: str) -> None:
    metrics.count(MetricName.ACCOUNT_SIGN_INS, outcome=outcome)
