"""KMS throttled, away and with its key disabled, on the whole path of a call; time is simulated."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import pytest

from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.settings import VaultSettings
from shared.state import data_keys
from shared.vault import kms_data_keys
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.opened_keys import OUTAGE_SECONDS_MAX
from shared.vault.token_vault import (
    KeyServiceUnavailableError,
    KeyUnusableError,
    data_key_context,
)
from shared.workflows.refresh_grant import RefreshOutcome
from tests.support.kms_gate import KmsGate, Weather, kms_gate
from tests.support.upstream_world import SignedIn, UpstreamWorld, Worker, running_world

STEP_SECONDS: Final = 5
THROTTLED_SECONDS: Final = 30
AWAY_SECONDS: Final = 600


@dataclass(kw_only=True)
class Scene:
    """One person, and environments whose key service stands behind the gate."""

    world: UpstreamWorld
    gate: KmsGate
    maya: SignedIn
    now: float = 1_000.0

    def environment(self) -> Worker:
        """A new one, with nothing opened yet."""
        worker = self.world.worker()
        worker.vault._clock = lambda: self.now
        return worker

    async def call(self, worker: Worker) -> str:
        """The token with which the site is called."""
        used: list[str] = []

        async def request(access_token: str) -> None:
            used.append(access_token)

        await worker.caller.run(await self.world.call_of(self.maya), request)
        return used[0]

    async def call_every_step(self, worker: Worker, seconds: int) -> int:
        """Calls during so many simulated seconds; how many were served."""
        served = 0
        for _ in range(0, seconds, STEP_SECONDS):
            self.now += STEP_SECONDS
            assert await self.call(worker)
            served += 1
        return served


@pytest.fixture
async def scene(
    monkeypatch: pytest.MonkeyPatch, database_url: str, kms_endpoint: str, kms_key_id: str
) -> AsyncIterator[Scene]:
    # The SDK would wait between its own tries.
    monkeypatch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(kms_gate(kms_endpoint))
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        world = await stack.enter_async_context(running_world(database_url, kms_key_id))
        yield Scene(world=world, gate=gate, maya=await world.sign_in())


async def test_thirty_seconds_of_throttling_pass_unnoticed(scene: Scene) -> None:
    warm = scene.environment()
    await scene.call(warm)
    # The worst moment: the key's time in the cache is about to end.
    scene.now += 299
    scene.gate.weather = Weather.THROTTLED
    scene.gate.asked.clear()

    served = await scene.call_every_step(warm, THROTTLED_SECONDS)

    assert served == THROTTLED_SECONDS // STEP_SECONDS
    assert scene.gate.asked["Decrypt"] <= 4


async def test_ten_minutes_without_kms_are_ridden_out_on_cached_keys(scene: Scene) -> None:
    warm, cold = scene.environment(), scene.environment()
    await scene.call(warm)
    scene.now += 299
    scene.gate.weather = Weather.AWAY

    served = await scene.call_every_step(warm, AWAY_SECONDS)
    with pytest.raises(KeyServiceUnavailableError) as caught:
        await scene.call(cold)
    row = await scene.world.row(scene.maya)
    scene.gate.weather = Weather.FAIR

    assert served == AWAY_SECONDS // STEP_SECONDS
    assert not isinstance(caught.value, KeyUnusableError)
    assert CATALOGUE[caught.value.code].http_status == 503
    assert row["status"] == "active"
    assert await scene.call(cold)


def test_no_setting_shortens_the_outage_that_is_ridden_out() -> None:
    at_most = VaultSettings.model_fields["data_key_cache_seconds"].metadata[-1].le

    assert OUTAGE_SECONDS_MAX - at_most >= AWAY_SECONDS


async def test_a_refresh_while_kms_is_away_keeps_the_new_pair(scene: Scene) -> None:
    warm = scene.environment()
    await warm.vault.prepare()
    await scene.call(warm)
    scene.now += 299
    scene.gate.weather = Weather.AWAY
    scene.now += AWAY_SECONDS

    outcome = await warm.refresher.refresh(scene.maya.grant_id, 1)
    scene.gate.weather = Weather.FAIR

    assert outcome is RefreshOutcome.REFRESHED
    assert (await scene.world.grant(scene.maya)).pair_generation == 2
    assert await scene.call(scene.environment())


async def test_a_disabled_key_takes_effect_within_the_cache_time_and_signs_nobody_out(
    scene: Scene,
) -> None:
    worker = scene.environment()
    await scene.call(worker)
    scene.gate.disable(scene.world.kms_key_id)
    scene.now += 300

    with pytest.raises(KeyUnusableError) as caught:
        await scene.call(worker)
    with pytest.raises(KeyUnusableError):
        await worker.refresher.refresh(scene.maya.grant_id, 1)
    row = await scene.world.row(scene.maya)
    asked_drupal = len(scene.world.drupal.control.requests())
    scene.gate.enable(scene.world.kms_key_id)

    assert caught.value.code is ErrorCode.KEY_UNUSABLE
    assert CATALOGUE[caught.value.code].http_status == 503
    assert CATALOGUE[caught.value.code].oauth_code == "temporarily_unavailable"
    assert row["status"] == "active"
    assert asked_drupal == 0
    assert await scene.call(worker)


async def test_a_generation_made_just_before_kms_went_away_takes_nothing_away(
    scene: Scene, kms_endpoint: str
) -> None:
    warm = scene.environment()
    await warm.vault.prepare()
    kms = KmsDataKeys(
        scene.world.kms_key_id,
        connect_timeout_seconds=1,
        read_timeout_seconds=2,
        endpoint_url=kms_endpoint,
    )
    made = await kms.generate(data_key_context("local", 2))
    await _add(warm, made.wrapped_key, made.kms_key_id)
    scene.gate.weather = Weather.AWAY
    scene.now += 300

    stayed = await warm.vault.prepare()
    outcome = await warm.refresher.refresh(scene.maya.grant_id, 1)
    scene.gate.weather = Weather.FAIR
    scene.now += 300

    assert stayed == 1
    assert outcome is RefreshOutcome.REFRESHED
    assert (await scene.world.grant(scene.maya)).pair.key_generation == 1
    assert await warm.vault.prepare() == 2


async def _add(worker: Worker, wrapped_key: bytes, kms_key_id: str) -> None:
    key = data_keys.WrappedDataKey(generation=2, wrapped_key=wrapped_key, kms_key_id=kms_key_id)
    async with worker.database.transaction() as tx:
        assert await data_keys.add(tx, key)
