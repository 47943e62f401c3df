"""The lines that every append left in the log, compared with what stands in the chains.

Whoever can write to the database can compute hashes too; what has left it as a line they cannot
change. Lines may be missing (a process can die between its commit and its line), so an event
without a line is counted, not named.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.audit_trail.findings import Finding, FindingKind
from scripts.audit_trail.verification import ChainEnds, Report
from shared.state.audit_events import LINE_MESSAGE


@dataclass(frozen=True, slots=True)
class LoggedPlace:
    """What one line tells; ``certain`` False: its commit was not acknowledged."""

    chain: int
    sequence: int
    hash: bytes
    certain: bool


@dataclass(slots=True)
class Comparison:
    """What the lines say against the chains."""

    findings: list[Finding] = field(default_factory=list)
    without_line: int = 0
    """Events between the first and the last line of their chain that no line tells of."""


def read(lines: Iterable[str]) -> list[LoggedPlace]:
    """The places that ``lines`` tell of: one JSON object a line, other lines are passed over.

    Lines of an export from CloudWatch may have a time before the object.
    """
    return [place for line in lines if (place := _place(line)) is not None]


def _place(line: str) -> LoggedPlace | None:
    try:
        found: Mapping[str, Any] = json.loads(line[line.index("{") :])
    except ValueError:
        return None
    if found.get("message") != LINE_MESSAGE:
        return None
    return LoggedPlace(
        int(found["audit_chain"]),
        int(found["audit_sequence"]),
        bytes.fromhex(found["audit_hash"]),
        found["audit_committed"] == "yes",
    )


def watched(places: Iterable[LoggedPlace]) -> frozenset[tuple[int, int]]:
    """The places that the walk has to remember."""
    return frozenset((place.chain, place.sequence) for place in places)


def compare(
    places: Iterable[LoggedPlace], report: Report, ends: Mapping[int, ChainEnds]
) -> Comparison:
    """Hold ``places`` against what the walk of ``report`` has met at them."""
    result = Comparison()
    told: dict[int, set[int]] = {}
    for place in places:
        told.setdefault(place.chain, set()).add(place.sequence)
        known = ends.get(place.chain)
        if known is not None and place.sequence <= known.before_oldest.sequence:
            # Archived, or before where this check begins.
            continue
        finding = _compared(place, report)
        if finding is not None and finding not in result.findings:
            result.findings.append(finding)
    for sequences in told.values():
        result.without_line += max(sequences) - min(sequences) + 1 - len(sequences)
    return result


def _compared(place: LoggedPlace, report: Report) -> Finding | None:
    met = report.places.get((place.chain, place.sequence))
    if met == place.hash or (met is None and not place.certain):
        return None
    if met is not None:
        if not place.certain:
            # That commit did not happen, and another event has the place.
            return None
        kind, note = FindingKind.TAMPERED, "the log tells of another event at this place"
    elif _told_already(place, report):
        return None
    else:
        kind, note = FindingKind.DELETED, "the log tells of an event at this place"
    return Finding(kind, place.chain, place.sequence, note)


def _told_already(place: LoggedPlace, report: Report) -> bool:
    return any(
        finding.kind is FindingKind.DELETED
        and finding.chain == place.chain
        and finding.covers(place.sequence)
        for finding in report.findings
    )
