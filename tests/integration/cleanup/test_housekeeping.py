"""One run of the cleanup over rows old and new."""

from typing import LiteralString

import psycopg
import pytest

from functions.cleanup import housekeeping
from functions.cleanup.housekeeping import Housekeeping
from shared.domain.sessions import EndCause
from shared.observability import metrics
from shared.state.database import DatabaseUnavailableError
from shared.state.retention import RULES, RetentionRule
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import UpstreamWorld

DAY = 86_400


def cleanup_of(
    world: UpstreamWorld,
    *,
    batch_max: int = 1_000,
    seconds_left: float = 100.0,
    rules: tuple[RetentionRule, ...] = RULES,
) -> Housekeeping:
    return Housekeeping(
        world.own.database,
        world.own.drainer,
        world.own.discarded,
        batch_max=batch_max,
        seconds_left=lambda: seconds_left,
        rules=rules,
    )


async def count(world: UpstreamWorld, statement: LiteralString) -> int:
    async with world.own.database.autocommit() as tx:
        row = await tx.row(statement)
    assert row is not None
    return int(row["count"])


async def test_a_grant_in_use_is_left_alone(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()

    done = await cleanup_of(world).run()

    assert set(done.values()) == {0}
    assert {rule.name for rule in RULES} < set(done)
    assert (await world.row(signed_in))["status"] == "active"


async def test_a_lapsed_grant_ends_and_the_site_is_told_in_the_same_run(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(91 * DAY)

    done = await cleanup_of(world).run()

    row = await world.row(signed_in)
    assert done["lapsed"] == 1
    assert done["burnt"] == 1
    assert row["ended_cause"] == EndCause.EXPIRED.value
    assert row["pair_gone"]


async def test_expired_rows_go_in_batches_until_none_is_left(
    world: UpstreamWorld, database_admin: psycopg.Connection[object]
) -> None:
    await world.sign_in()
    database_admin.execute(
        "INSERT INTO app.usage_events (event_id, occurred_at, user_id, client_id, tool, outcome,"
        " duration_milliseconds)"
        " SELECT gen_random_uuid(), app.now() - interval '14 months', gen_random_uuid(), 'c',"
        " 't', 'ok', 1 FROM generate_series(1, 25)"
    )

    done = await cleanup_of(world, batch_max=10).run()

    assert done["usage_events_old"] == 25
    assert await count(world, "SELECT count(*) FROM app.usage_events") == 0


async def test_a_rule_that_fails_does_not_keep_the_others_from_being_applied(
    world: UpstreamWorld, database_admin: psycopg.Connection[object]
) -> None:
    broken = RetentionRule(name="broken", table="app.no_such_table", condition="true", why="a test")
    database_admin.execute(
        "INSERT INTO app.usage_events (event_id, occurred_at, user_id, client_id, tool, outcome,"
        " duration_milliseconds) VALUES (gen_random_uuid(), app.now() - interval '14 months',"
        " gen_random_uuid(), 'c', 't', 'ok', 1)"
    )

    done = await cleanup_of(world, rules=(broken, *RULES)).run()

    assert done["broken"] == 0
    assert done["usage_events_old"] == 1


async def test_without_time_nothing_is_begun(world: UpstreamWorld, clock: DatabaseClock) -> None:
    await world.sign_in()
    clock.advance(91 * DAY)

    done = await cleanup_of(world, seconds_left=housekeeping.BATCH_SECONDS_MAX).run()

    assert set(done.values()) == {0}
    assert world.drupal.control.requests() == []


async def test_what_drupal_was_not_told_yet_is_a_metric(
    world: UpstreamWorld, clock: DatabaseClock, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.sign_in("maya")
    await world.sign_in("felix")
    clock.advance(91 * DAY)
    world.drupal.control.fail("error_html", route="token")
    metrics.flush()
    capsys.readouterr()

    await cleanup_of(world).run()
    metrics.flush()

    said = capsys.readouterr().out
    assert '"outcome":"burnt"' in said
    assert '"outcome":"postponed"' in said
    assert '"RevocationsPending":[1.0]' in said
    assert '"rule":"sign_ins_expired"' in said


class _Failing:
    async def run(self) -> dict[str, int]:
        raise DatabaseUnavailableError


async def test_a_chore_that_fails_keeps_nothing_else_from_being_done(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    await world.sign_in()
    clock.advance(2 * DAY)
    cleanup = Housekeeping(
        world.own.database,
        world.own.drainer,
        world.own.discarded,
        batch_max=100,
        seconds_left=lambda: 100.0,
        chores=(_Failing(),),
    )

    done = await cleanup.run()

    assert done["access_tokens_expired"] == 1
