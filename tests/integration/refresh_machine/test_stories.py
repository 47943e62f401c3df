"""Stories by chance: whoever stops, dies or comes late, nobody is signed out by us."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.refresh_machine.machine import RefreshMachine
from tests.integration.refresh_machine.town import Town

STORIES = settings(
    max_examples=12,
    stateful_step_count=12,
    # A story that fails is short enough as it is; shortening it would tell it hundreds of times.
    phases=[Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_no_story_loses_a_pair_or_ends_a_grant_that_could_live(town: Town) -> None:
    run_state_machine_as_test(lambda: RefreshMachine(town), settings=STORIES)  # type: ignore[arg-type]  # any maker will do
