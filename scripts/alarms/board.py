"""All alarms at once: the state of each, since when, and what changed.

Judged once a minute of whatever time the caller counts in; keeps no numbers itself.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from scripts.alarms.judge import MINUTE_SECONDS, AlarmState, Numbers, Verdict, judge
from scripts.alarms.template_alarms import CompositeAlarm, TemplateAlarms

CHANGES_KEPT_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """How one alarm stands; times in epoch seconds."""

    name: str
    verdict: Verdict
    since: float


@dataclass(frozen=True, slots=True)
class Change:
    """One alarm went from a state to another."""

    name: str
    at: float
    before: AlarmState
    after: AlarmState
    reason: str


@dataclass
class AlarmBoard:
    """The alarms of a template on one set of numbers."""

    template: TemplateAlarms
    numbers: Numbers
    watched_since: float
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=CHANGES_KEPT_MAX))
    _standings: dict[str, Standing] = field(default_factory=dict)
    _judged_minute: float = 0.0

    def standings(self) -> list[Standing]:
        """Every alarm as it was judged last, composite ones behind the others."""
        return list(self._standings.values())

    def state(self, name: str) -> AlarmState:
        """The state of one alarm."""
        found = self._standings.get(name)
        return AlarmState.INSUFFICIENT_DATA if found is None else found.verdict.state

    def look(self, now: float) -> None:
        """Judge every alarm, unless this minute has been judged."""
        minute = now // MINUTE_SECONDS * MINUTE_SECONDS
        if minute <= self._judged_minute:
            return
        self._judged_minute = minute
        for alarm in self.template.alarms:
            since = self.watched_since
            self._note(alarm.name, judge(alarm, self.numbers, now=now, watched_since=since), minute)
        for composite in self.template.composites:
            self._note(composite.name, self._gathered(composite), minute)

    def _gathered(self, composite: CompositeAlarm) -> Verdict:
        on = sorted(one for one in composite.members if self.state(one) is AlarmState.ALARM)
        if on:
            return Verdict(AlarmState.ALARM, f"because of {', '.join(on)}")
        return Verdict(AlarmState.OK, f"none of {len(composite.members)} alarms is on")

    def _note(self, name: str, verdict: Verdict, at: float) -> None:
        before = self._standings.get(name)
        if before is not None and before.verdict.state is verdict.state:
            self._standings[name] = Standing(name, verdict, before.since)
            return
        self._standings[name] = Standing(name, verdict, at)
        if before is not None:
            change = Change(name, at, before.verdict.state, verdict.state, verdict.reason)
            self.changes.append(change)


def on(standings: Iterable[Standing]) -> list[Standing]:
    """Those that are in alarm."""
    return [one for one in standings if one.verdict.state is AlarmState.ALARM]
