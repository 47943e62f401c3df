import pytest

from functions.token_refresh.stagger import PROBE_SHARE, SHARES_AFTER_PAUSE, Stagger
from shared.circuit.guard import CircuitGuard
from shared.circuit.rules import RULES
from shared.domain.circuits import Dependency
from shared.upstream.failures import UpstreamUnavailableError
from tests.unit.circuit.pieces import Hands

OAUTH = Dependency.DRUPAL_OAUTH


async def open_circuit(guard: CircuitGuard) -> None:
    for _ in range(RULES[OAUTH].calls_min):
        with pytest.raises(UpstreamUnavailableError):
            async with guard.watch(OAUTH):
                raise UpstreamUnavailableError


async def test_ticks_pause_then_try_one_grant_then_take_growing_parts() -> None:
    hands = Hands()
    guard = CircuitGuard(clock=hands, chance=lambda: 0.5)
    stagger = Stagger(guard)
    assert await stagger.share() == 1.0
    await open_circuit(guard)
    assert await stagger.share() == 0.0
    hands.seconds += 10
    assert await stagger.share() == PROBE_SHARE
    async with guard.watch(OAUTH):
        pass
    hands.seconds += 60
    shares = [await stagger.share() for _ in range(len(SHARES_AFTER_PAUSE) + 2)]
    assert shares == [*SHARES_AFTER_PAUSE, 1.0, 1.0]


async def test_another_pause_begins_the_stagger_anew() -> None:
    hands = Hands()
    guard = CircuitGuard(clock=hands, chance=lambda: 0.5)
    stagger = Stagger(guard)
    for _ in range(2):
        await open_circuit(guard)
        assert await stagger.share() == 0.0
        hands.seconds += 10
        async with guard.watch(OAUTH):
            pass
        hands.seconds += 60
        assert await stagger.share() == SHARES_AFTER_PAUSE[0]
