"""Sixty days of one person: idle weeks, deployments, new keys, a mass expiry; one sign-in."""

import os
from typing import Any

import boto3
import psycopg

from scripts.fake_drupal.running import running_fake_drupal
from shared.domain.refresh_times import SITE_REFRESH_TOKEN_SECONDS
from shared.state.database import Database
from shared.state.refresh_allowances import BURST_SECONDS
from tests.integration.mcp_endpoint.pieces import Stack
from tests.journeys.deployments import Deployment, Place, Reader, a_place, deployed
from tests.support.aws import new_kms_key
from tests.support.clock import DatabaseClock

HOUR = 3_600
DAY = 86_400
PER_MINUTE = 5
OTHERS = 12


class Life:
    """A person's days, as the schedules and the person's client make them."""

    def __init__(self, place: Place, reader: Reader) -> None:
        self._place = place
        self._reader = reader
        self.day = 0

    async def days(self, deployment: Deployment, count: int, *, calling: bool) -> None:
        """So many days; the person calls in each of them, or in none."""
        for _ in range(count):
            for _half in range(2):
                self._place.pass_time(DAY / 2)
                counts = await deployment.tick()
                assert counts["rejected"] == 0, f"day {self.day}"
            self.day += 1
            if self.day % 3 == 0:
                await deployment.clean()
            if calling:
                await self.call()

    async def call(self) -> None:
        """The person asks for something, and gets it."""
        answer = await self._reader.search()
        assert answer.status_code == 200, f"day {self.day}: {answer.text}"
        assert answer.json()["result"]["isError"] is False, f"day {self.day}: {answer.text}"


async def a_mass_expiry(place: Place, deployment: Deployment, life: Life, kms_key_id: str) -> None:
    """Others have signed in together; everybody's tokens end in one minute."""
    owner = Database(place.database_url)
    others = Stack(url=place.mcp_url, site=place.site, database=owner, kms_key_id=kms_key_id)
    for _ in range(OTHERS):
        await others.sign_in("lena")
    async with owner.autocommit() as tx:
        await tx.execute("UPDATE app.grants SET refresh_at = app.now() + interval '55 minutes'")
    await owner.close()
    place.pass_time(HOUR)

    refreshed = [(await deployment.tick())["refreshed"]]
    await life.call()
    while sum(refreshed) < OTHERS:
        assert len(refreshed) < OTHERS
        place.pass_time(BURST_SECONDS)
        refreshed.append((await deployment.tick())["refreshed"])
    assert max(refreshed) == PER_MINUTE


async def test_a_person_signs_in_once_in_sixty_days(
    database_url: str,
    database_admin: psycopg.Connection[Any],
    kms_endpoint: str,
    kms_key_id: str,
    clock: DatabaseClock,
) -> None:
    async with running_fake_drupal(6) as site:
        site.control.set(access_token_seconds=HOUR)
        assert site.client.refresh_token_seconds == SITE_REFRESH_TOKEN_SECONDS
        place = a_place(site, database_url, clock, per_second=PER_MINUTE / BURST_SECONDS)
        reader = Reader(place)
        life = Life(place, reader)

        async with deployed(place, kms_key_id) as first:
            await reader.sign_in()
            await life.days(first, 4, calling=True)
            await life.days(first, 10, calling=False)
        async with deployed(place, kms_key_id) as second:
            # Twenty-four days without a call: the site forgets after fourteen.
            await life.days(second, 14, calling=False)
            await life.days(second, 3, calling=True)
        new_key_id = new_kms_key(kms_endpoint)
        async with deployed(place, new_key_id) as third:
            await life.days(third, 3, calling=True)
            disable(kms_key_id)
            await a_mass_expiry(place, third, life, new_key_id)
            await life.days(third, 24, calling=False)
            await life.days(third, 2, calling=True)

    assert life.day == 60
    assert reader.memory.sign_ins == 1
    assert ends(database_admin) == {}
    assert keys(database_admin) == {2: new_key_id, 3: new_key_id}


def disable(kms_key_id: str) -> None:
    """Nothing may need the old key any more."""
    client = boto3.client("kms", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.disable_key(KeyId=kms_key_id)
    client.close()


def ends(admin: psycopg.Connection[Any]) -> dict[str, int]:
    """Grants that ended, by cause, but for those whose client never came back."""
    found = admin.execute(
        "SELECT ended_cause, count(*) FROM app.grants"
        " WHERE status = 'ended' AND ended_cause <> 'expired' GROUP BY 1"
    )
    return dict(found.fetchall())


def keys(admin: psycopg.Connection[Any]) -> dict[int, str]:
    """The live data keys, and what wraps each."""
    found = admin.execute("SELECT generation, kms_key_id FROM app.data_keys ORDER BY 1").fetchall()
    return {generation: str(key).rsplit("/", 1)[-1] for generation, key in found}
