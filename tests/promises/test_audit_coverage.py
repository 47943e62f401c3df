"""Every act that changes somebody's rights is in the audit trail; derived from the code.

A new function of ``shared.state`` that changes rows fails here until it has its events, or its
reason for having none.
"""

import ast
from collections.abc import Mapping
from functools import cache
from typing import Final

import pytest

from shared.state.audit_events import AuditAction
from tests.promises import audited_acts
from tests.promises.audited_acts import Code

Modules = dict[str, ast.Module]

EVENTS: Final[Mapping[str, frozenset[AuditAction]]] = {
    "account_visits.open_visit": frozenset({AuditAction.ACCOUNT_SIGNED_IN}),
    "account_visits.end": frozenset(
        {AuditAction.ACCOUNT_SIGNED_OUT, AuditAction.ACCOUNT_SIGNED_IN}
    ),
    "account_sign_ins.take": frozenset({AuditAction.ACCOUNT_SIGN_IN_REFUSED}),
    "authorization_codes.add": frozenset({AuditAction.GRANT_CREATED}),
    "authorization_codes.take": frozenset({AuditAction.CODE_REDEEMED}),
    "client_documents.store": frozenset({AuditAction.CLIENT_DOCUMENT_READ}),
    "client_documents.store_failure": frozenset({AuditAction.CLIENT_DOCUMENT_FAILED}),
    "clients.register": frozenset({AuditAction.CLIENT_REGISTERED}),
    "containments.block": frozenset({AuditAction.CLIENT_BLOCKED}),
    "containments.forget_unfinished": frozenset({AuditAction.SESSIONS_CONTAINED}),
    "containments.unblock": frozenset({AuditAction.CLIENT_UNBLOCKED}),
    "data_keys.add": frozenset({AuditAction.DATA_KEY_MADE}),
    "data_keys.add_when_due": frozenset({AuditAction.DATA_KEY_MADE}),
    "data_keys.rewrap": frozenset({AuditAction.DATA_KEY_REWRAPPED}),
    "data_keys.retire": frozenset({AuditAction.DATA_KEY_RETIRED}),
    "erasures.begin": frozenset({AuditAction.PERSON_ERASURE_REQUESTED}),
    "erasures.finish": frozenset({AuditAction.PERSON_ERASED}),
    "forced_circuits.force": frozenset({AuditAction.CIRCUIT_FORCED}),
    "forced_circuits.reset": frozenset({AuditAction.CIRCUIT_RESET}),
    "grants.create": frozenset({AuditAction.GRANT_CREATED}),
    "grants.end": frozenset({AuditAction.GRANT_ENDED}),
    "grants.forget_pair": frozenset({AuditAction.GRANT_REVOKED_UPSTREAM}),
    "grants.store_pair": frozenset({AuditAction.UPSTREAM_REFRESHED}),
    "grants.suspend": frozenset({AuditAction.GRANT_SUSPENDED}),
    "revived_grants.revive": frozenset({AuditAction.GRANT_REVIVED}),
    "sessions.open": frozenset({AuditAction.CODE_REDEEMED}),
    "sessions.rotate": frozenset({AuditAction.SESSION_REFRESHED}),
    "sign_ins.approve_in_browser": frozenset({AuditAction.GRANT_CREATED}),
    "sign_ins.deny": frozenset({AuditAction.CONSENT_DENIED}),
    "sign_ins.send_upstream": frozenset({AuditAction.CONSENT_GIVEN}),
    "sign_ins.take": frozenset({AuditAction.SIGN_IN_REFUSED}),
    "suspended_grants.lift": frozenset({AuditAction.GRANT_RESUMED}),
    "users.ensure": frozenset({AuditAction.GRANT_CREATED, AuditAction.ACCOUNT_SIGNED_IN}),
}
"""By act, the events of which one tells of it."""

_BOOKKEEPING: Final = "keeps account of work under way; nobody may do more or less for it"
_MEASURE: Final = "counts or limits what is asked; the metrics tell of it"
_COPY: Final = "a copy of what another says, made again when it is lost"
_USAGE: Final = "is usage itself, or its sums"
NO_EVENT: Final[Mapping[str, str]] = {
    "account_sign_ins.begin": "an intent; what comes of it is an event",
    "account_visits.use": "the visit began with an event, and this only keeps it from ending",
    "assertion_ids.accept": "remembered to refuse a second use",
    "audit_partitions.drop_archived": "months of the trail itself; logged",
    "audit_partitions.note_part": "months of the trail itself; logged",
    "calls.close": _USAGE,
    "circuits.claim_probe": _MEASURE,
    "circuits.end_probe": _MEASURE,
    "circuits.report": _MEASURE,
    "client_documents.count_fetch": _MEASURE,
    "client_documents.put_client": "what the document says; reading another one is an event",
    "client_key_sets.store": _COPY,
    "client_key_sets.store_failure": _COPY,
    "clients.add": "no code of the functions calls it",
    "clients.mark_used": "a grant was created, and that is an event",
    "clients.put_preregistered": "follows from a setting, whose changes the deployment records",
    "content_cache.forget": _COPY,
    "content_cache.note": _COPY,
    "discarded_pairs.add": "its sign-in or its refresh is an event",
    "discarded_pairs.due": _BOOKKEEPING,
    "discarded_pairs.forget": "no grant depends on it; the metrics count it",
    "discarded_pairs.postpone": _BOOKKEEPING,
    "grants.back_off": _BOOKKEEPING,
    "grants.claim": _BOOKKEEPING,
    "grants.due": _BOOKKEEPING,
    "grants.fading": _BOOKKEEPING,
    "grants.release": _BOOKKEEPING,
    "kept_searches.forget": _COPY,
    "kept_searches.keep": _COPY,
    "migrator.migrate": "recorded with checksum and time in app.schema_migrations",
    "rate_limits.take": _MEASURE,
    "refresh_allowances.give_back": _MEASURE,
    "refresh_allowances.take": _MEASURE,
    "refresh_attempts.begin": _BOOKKEEPING,
    "refresh_attempts.finish": _BOOKKEEPING,
    "refresh_attempts.give_up": _BOOKKEEPING,
    "resealing.replace": "the same pair under a newer key; the making of that key is an event",
    "retention.purge": "by the rules of the retention table only; the metrics count it",
    "revocation_outbox.due": _BOOKKEEPING,
    "revocation_outbox.postpone": _BOOKKEEPING,
    "session_abilities.remember": "what a client can do, as it says itself",
    "sessions.answer_anew": "the same answer to the same refresh, which was an event",
    "sessions.end": "no code of the functions calls it",
    "session_networks.note": _MEASURE,
    "sign_ins.begin": "an intent; what comes of it is an event",
    "suspended_grants.begin_try": _BOOKKEEPING,
    "suspended_grants.make_due": _BOOKKEEPING,
    "tool_catalogue.store": _COPY,
    "usage_days.roll_day": _USAGE,
    "usage_rollups.roll_hour": _USAGE,
}


@cache
def modules() -> Modules:
    return audited_acts.module_sources()


@cache
def whole() -> Code:
    return audited_acts.code_of(modules())


def gaps(code: Code) -> list[str]:
    """Acts whose event is out of reach of where they are done; actions that nobody appends."""
    found = [
        f"{act} in {caller}"
        for act, events in EVENTS.items()
        for caller in audited_acts.unaudited(code, act, frozenset(e.name for e in events))
    ]
    return found + sorted({e.name for e in AuditAction} - audited_acts.appended_anywhere(code))


def test_every_act_of_the_code_has_its_events_or_its_reason() -> None:
    # What roles may do is not done there.
    acts = {act for act in audited_acts.acts() if not act.startswith("roles.")}

    assert acts == set(EVENTS) | set(NO_EVENT), "give it an event above, or a reason for none"
    assert not set(EVENTS) & set(NO_EVENT)


def test_every_act_is_told_of_wherever_it_is_done() -> None:
    assert gaps(whole()) == []


def test_every_act_with_events_is_done_somewhere() -> None:
    called = set().union(*(piece.calls for piece in whole().values()))

    assert [act for act in EVENTS if f"shared.state.{act}" not in called] == []


@pytest.mark.parametrize(
    ("module", "line"), audited_acts.sites(audited_acts.module_sources()), ids=str
)
def test_an_append_that_is_taken_out_is_missed(module: str, line: int) -> None:
    broken = audited_acts.without(whole(), modules()[module], module, line)

    assert gaps(broken) != []
