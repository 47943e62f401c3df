"""Stories by chance: processes that refresh, stop, die and come late."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scripts.fake_drupal.faults import FaultKind
from tests.integration.refresh_machine.parts import DatabaseTrouble
from tests.integration.refresh_machine.promises import check_moment, check_outcome, settle
from tests.integration.refresh_machine.town import TO_THE_END, Town

NAMES = ("maya", "felix")
RUNNING_MAX = 3
STEPS_MAX = 60
"""About as many as a whole refresh has."""
NEAR_THE_ANSWER = range(32, 56)
"""The steps of a refresh from Drupal being asked to the pair being stored."""
SELDOM = 8


picks = st.integers(min_value=0, max_value=RUNNING_MAX - 1)
# Mostly one person's: it is there that processes meet.
people = st.sampled_from([0, 0, 0, 1])
parts = st.one_of(
    st.integers(min_value=1, max_value=STEPS_MAX),
    st.sampled_from(NEAR_THE_ANSWER),
    st.just(TO_THE_END),
)
troubles = st.sampled_from([None, None, None, *DatabaseTrouble])
moments = st.sampled_from([6.0, 13.0, 13.0, 61.0, 121.0, 121.0])
faults = st.sampled_from(
    [
        FaultKind.HOLD,
        FaultKind.CLOSE_BEFORE,
        FaultKind.CLOSE_AFTER,
        FaultKind.TRUNCATED,
        FaultKind.MAINTENANCE_HTML,
        FaultKind.RATE_LIMITED,
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A process gets on: the one of that number among those that run, or a new one."""

    pick: int
    who: int
    steps: int
    trouble: DatabaseTrouble | None


acts = st.builds(Act, pick=picks, who=people, steps=parts, trouble=troubles)


class RefreshMachine(RuleBasedStateMachine):
    """One story in a town, told by Hypothesis."""

    def __init__(self, town: Town) -> None:
        super().__init__()
        self.town = town

    def run(self, part: Coroutine[Any, Any, Any]) -> None:
        """Do a part of the story."""
        self.town.loop.run_until_complete(part)

    @initialize(buffer=st.booleans())
    def sign_in(self, *, buffer: bool) -> None:
        """People sign in at a site with or without the buffer."""
        self.run(self.town.open(NAMES, buffer=buffer))

    @rule(act=acts)
    def work(self, act: Act) -> None:
        """A process goes on, or another one begins."""
        self.run(self._act(act))

    @rule(pick=picks, act=acts)
    def crash(self, pick: int, act: Act) -> None:
        """A process is killed where it stands."""
        running = self.town.running()
        if running:
            self.run(self.town.kill(running[pick % len(running)]))
        self.run(self._act(act))

    @rule(seconds=moments, frozen=st.booleans(), act=acts)
    def time_passes(self, seconds: float, act: Act, *, frozen: bool) -> None:
        """Processes are slow, or stopped, or frozen so that their own clock stands."""
        self.town.pass_time(seconds, frozen=frozen)
        self.run(self._act(act))

    @rule(kind=faults, act=acts)
    def site_fails(self, kind: FaultKind, act: Act) -> None:
        """The next refresh meets a fault of the site, or waits before the site works on it."""
        self.town.world.drupal.control.fail(kind, route="token")
        self.run(self._act(act))

    @rule(act=acts)
    def site_goes_on(self, act: Act) -> None:
        """The site works on what waits, and is healthy again."""
        self.run(self.town.let_requests_go())
        self.run(self._act(act))

    @rule(who=people, luck=st.integers(min_value=1, max_value=SELDOM), act=acts)
    def disconnect(self, who: int, luck: int, act: Act) -> None:
        """Somebody ends their grant, now and then."""
        if luck == SELDOM:
            self.run(self.town.disconnect(who))
        self.run(self._act(act))

    async def _act(self, act: Act) -> None:
        running = self.town.running()
        if act.pick < len(running):
            await self.town.go_on(running[act.pick], act.steps)
            return
        worker = await self.town.begin(act.who)
        worker.database.trouble = act.trouble
        await self.town.go_on(worker, act.steps)

    @invariant()
    def nothing_is_lost(self) -> None:
        """After every part of the story."""
        self.run(check_moment(self.town))

    def teardown(self) -> None:
        """The end of the story."""
        try:
            self.run(self._end())
        finally:
            self.run(self.town.close())

    async def _end(self) -> None:
        await settle(self.town)
        await check_outcome(self.town)
