"""Walks the hash chains and names every place where somebody has changed them.

Reads each chain once, in the order of its sequence; only broken places are kept in memory.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from scripts.audit_trail.findings import BROKEN_MAX, Finding, FindingKind, explained
from shared.domain.audit_chains import GENESIS_HASH, ChainedEvent, ChainPlace

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ChainEnds:
    """Between which places a chain must lie; ``newest`` None: to wherever it goes."""

    before_oldest: ChainPlace
    newest: ChainPlace | None = None


@dataclass(slots=True)
class Report:
    """What a walk over all chains has found."""

    events: int = 0
    findings: list[Finding] = field(default_factory=list)
    places: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """The hash at each place that a log line tells of."""


def verify(
    events: Iterable[ChainedEvent],
    ends: Mapping[int, ChainEnds],
    *,
    watched: frozenset[tuple[int, int]] = frozenset(),
) -> Report:
    """Walk ``events``, which come by chain and sequence; ``watched`` places go into the report."""
    report = Report()
    seen: set[int] = set()
    for chain, members in itertools.groupby(events, key=lambda event: event.chain):
        seen.add(chain)
        known = ends.get(chain) or ChainEnds(ChainPlace(chain, 0, GENESIS_HASH))
        walk = _Walk(known, report, watched)
        walk.over(members)
        report.findings += explained(walk.broken) + walk.findings
    for chain, known in ends.items():
        if chain not in seen:
            report.findings += _end_findings(known.before_oldest, known.newest)
    report.findings.sort(key=lambda finding: (finding.chain, finding.sequence))
    return report


class _Walk:
    """One way along one chain."""

    def __init__(
        self, ends: ChainEnds, report: Report, watched: frozenset[tuple[int, int]]
    ) -> None:
        self._ends = ends
        self._last = ends.before_oldest
        self._last_intact: ChainedEvent | None = None
        self._report = report
        self._watched = watched
        self.broken: list[ChainedEvent] = []
        self.findings: list[Finding] = []

    def over(self, members: Iterable[ChainedEvent]) -> None:
        """Go along it to its end."""
        for event in self._chosen(members):
            self._step(event)
        self.findings += _end_findings(self._last, self._ends.newest)

    def _chosen(self, members: Iterable[ChainedEvent]) -> Iterator[ChainedEvent]:
        """One event for each place; where there are several, the one that what follows names."""
        groups = (list(group) for _, group in itertools.groupby(members, key=lambda e: e.sequence))
        for group, following in _pairs(groups):
            self._report.events += len(group)
            if len(group) == 1:
                yield group[0]
                continue
            named = {event.previous_hash for event in following or ()}
            newest = self._ends.newest
            if newest is not None:
                named.add(newest.hash)
            true = next((e for e in group if e.hash in named and e.intact), group[0])
            self.findings += [
                Finding(FindingKind.INSERTED, e.chain, e.sequence, "a second event at this place")
                for e in group
                if e is not true
            ]
            yield true

    def _step(self, event: ChainedEvent) -> None:
        last = self._last
        if event.sequence <= last.sequence:
            # Older than where the walk begins.
            return
        if (event.chain, event.sequence) in self._watched:
            self._report.places[event.chain, event.sequence] = event.hash
        adjacent = event.sequence == last.sequence + 1
        if not adjacent:
            self.findings.append(_deleted(last, event.sequence))
        if not event.intact:
            if len(self.broken) < BROKEN_MAX:
                self.broken.append(event)
        elif adjacent and event.previous_hash != last.hash:
            self._unlinked(event)
        self._last, self._last_intact = event.place, event if event.intact else None

    def _unlinked(self, event: ChainedEvent) -> None:
        """Both are what they were hashed as, but one of them does not belong beside the other."""
        previous = self._last_intact
        if previous is not None:
            self.findings.append(
                Finding(
                    FindingKind.TAMPERED,
                    previous.chain,
                    previous.sequence,
                    "replaced: the next event names another one before it",
                )
            )
        elif self._last == self._ends.before_oldest:
            self.findings.append(
                Finding(
                    FindingKind.TAMPERED,
                    event.chain,
                    event.sequence,
                    "does not follow what the walk begins with",
                )
            )


def _pairs(items: Iterable[_T]) -> Iterator[tuple[_T, _T | None]]:
    """Each item with the one after it."""
    one, two = itertools.tee(items)
    next(two, None)
    return itertools.zip_longest(one, two)


def _deleted(last: ChainPlace, found: int) -> Finding:
    return Finding(FindingKind.DELETED, last.chain, last.sequence + 1, "missing", until=found - 1)


def _end_findings(last: ChainPlace, newest: ChainPlace | None) -> list[Finding]:
    """Whether a chain ends where its head says."""
    if newest is None or last == newest:
        return []
    if last.sequence < newest.sequence:
        return [_deleted(last, newest.sequence + 1)]
    if last.sequence > newest.sequence:
        note = "behind the end of its chain"
        first = newest.sequence + 1
        return [Finding(FindingKind.INSERTED, last.chain, first, note, until=last.sequence)]
    note = "not the event that the head of the chain names"
    return [Finding(FindingKind.TAMPERED, last.chain, last.sequence, note)]
