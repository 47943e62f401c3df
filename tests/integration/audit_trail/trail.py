"""A trail of known shape: a chain with events, and ways to get at it that only an intruder has."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg

from scripts.audit_trail import log_lines
from scripts.audit_trail.findings import Finding
from scripts.audit_trail.log_lines import LoggedPlace
from scripts.audit_trail.reading import TrailReader
from scripts.audit_trail.verification import ChainEnds, verify

CHAIN: Final = 3

APPEND: Final = """
    SELECT app.link_audit_event(
        (SELECT c FROM app.audit_chains c WHERE chain = %(chain)s),
        jsonb_populate_record(NULL::app.audit_events, jsonb_build_object(
            'event_id', gen_random_uuid(), 'occurred_at', app.now(), 'action', 'grant:ended',
            'user_id', gen_random_uuid(),
            'details', jsonb_build_object('number', %(number)s::integer, 'word', 'żółw')))
    )
"""


def append(admin: psycopg.Connection[Any], number: int, *, chain: int = CHAIN) -> None:
    """Put ``number`` events at the end of a chain."""
    for one in range(number):
        admin.execute(APPEND, {"chain": chain, "number": one})


def found(
    conninfo: str,
    *,
    ends: Mapping[int, ChainEnds] | None = None,
    logged: tuple[LoggedPlace, ...] = (),
) -> list[tuple[str, int, int, int]]:
    """What a check finds: kind, chain, first and last sequence."""
    reader = TrailReader(conninfo)
    try:
        known = ends if ends is not None else reader.ends()
        report = verify(reader.by_chain(), known, watched=log_lines.watched(logged))
        compared = log_lines.compare(logged, report, known)
        return [_place(finding) for finding in report.findings + compared.findings]
    finally:
        reader.close()


def _place(finding: Finding) -> tuple[str, int, int, int]:
    until = finding.sequence if finding.until is None else finding.until
    return finding.kind.value, finding.chain, finding.sequence, until
