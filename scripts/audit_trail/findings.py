"""What a check of the trail can find, and what explains events whose hash is wrong."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.domain.audit_chains import ChainedEvent

BROKEN_MAX: Final = 200
"""So many broken events of a chain are looked at; more of them say nothing new."""
SHIFT_MAX: Final = 8
"""So far from its place an event is looked for, besides the places of other broken ones."""


class FindingKind(StrEnum):
    """What somebody did to the trail."""

    TAMPERED = "tampered"
    DELETED = "deleted"
    REORDERED = "reordered"
    INSERTED = "inserted"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place, or the places from ``sequence`` to ``until``, with what gives it away."""

    kind: FindingKind
    chain: int
    sequence: int
    note: str
    until: int | None = None

    def covers(self, sequence: int) -> bool:
        """Whether it tells of that place."""
        return self.sequence <= sequence <= (self.until or self.sequence)

    def __str__(self) -> str:
        """One line for operators."""
        places = str(self.sequence) if self.until in (None, self.sequence) else self._range()
        return f"{self.kind.value}: chain {self.chain}, sequence {places}: {self.note}"

    def _range(self) -> str:
        return f"{self.sequence} to {self.until}"


def explained(broken: Sequence[ChainedEvent]) -> list[Finding]:
    """What was done to events of one chain whose hash is not that of what they say.

    Where moving an event, or putting the others' contents into its place, makes the hash right
    again, somebody moved it; else its content or its hash was changed.
    """
    moved = {event.sequence: _true_sequence(event, broken) for event in broken}
    findings = list(_renumbered(moved))
    told = {place for finding in findings for place in _places(finding)}
    for event in broken:
        if event.sequence in told or moved[event.sequence] is not None:
            continue
        if _holds_another(event, broken):
            kind, note = FindingKind.REORDERED, "holds the content of another place"
        else:
            kind, note = FindingKind.TAMPERED, "its hash is not that of what it says"
        findings.append(Finding(kind, event.chain, event.sequence, note))
    chain = broken[0].chain if broken else 0
    return [replace(finding, chain=chain) for finding in findings]


def _places(finding: Finding) -> Iterator[int]:
    yield from range(finding.sequence, (finding.until or finding.sequence) + 1)


def _true_sequence(event: ChainedEvent, broken: Iterable[ChainedEvent]) -> int | None:
    """The place at which its hash is right; None where there is none near."""
    near = range(max(1, event.sequence - SHIFT_MAX), event.sequence + SHIFT_MAX + 1)
    places: list[int] = [*near, *(other.sequence for other in broken)]
    for sequence in places:
        if sequence != event.sequence and replace(event, sequence=sequence).intact:
            return sequence
    return None


def _holds_another(event: ChainedEvent, broken: Iterable[ChainedEvent]) -> bool:
    """Whether another's content, with its time or the time of this place, makes the hash right."""
    for other in broken:
        in_its_place = replace(
            other, sequence=event.sequence, previous_hash=event.previous_hash, hash=event.hash
        )
        at_its_time = replace(in_its_place, occurred_at=event.occurred_at)
        if other is not event and (in_its_place.intact or at_its_time.intact):
            return True
    return False


def _renumbered(moved: dict[int, int | None]) -> Iterator[Finding]:
    """Findings about events that stand at another sequence than they were hashed with.

    Events that have only changed places with each other were reordered. A run that is off by the
    same number makes room for an event that was put in, or fills that of one taken out.
    """
    off_before = 0
    for sequence, true in sorted(moved.items()):
        if true is None:
            continue
        if _changed_places(sequence, moved):
            note = f"was appended at sequence {true}"
            yield Finding(FindingKind.REORDERED, 0, sequence, note)
            continue
        off = sequence - true
        if off != off_before:
            yield _put_in(sequence, off) if off > 0 else _taken_out(sequence, -off)
            off_before = off


def _changed_places(sequence: int, moved: dict[int, int | None]) -> bool:
    """Whether going from each event to the one in its true place leads back to this one."""
    place = moved[sequence]
    for _ in moved:
        if place is None or place == sequence:
            break
        place = moved.get(place)
    return place == sequence


def _put_in(sequence: int, number: int) -> Finding:
    note = "what follows was numbered anew to make room"
    return Finding(FindingKind.INSERTED, 0, sequence - number, note, until=sequence - 1)


def _taken_out(sequence: int, number: int) -> Finding:
    note = f"{number} before it; what follows was numbered anew to close the gap"
    return Finding(FindingKind.DELETED, 0, sequence, note)
