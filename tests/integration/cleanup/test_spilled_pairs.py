"""Pairs that came late: the cleanup finds them, whatever their grant is by then."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from psycopg.conninfo import make_conninfo

from functions.cleanup.composition import compose
from shared.domain.grants import SealedPair
from shared.domain.identifiers import GrantId, new_id
from shared.domain.refresh_times import DOUBT_SECONDS_MAX
from shared.domain.sessions import EndCause
from shared.observability import request_context
from shared.queue.pair_spill import DynamoDbPairSpill
from shared.settings import CleanupFunctionSettings
from shared.state.roles import AppRole
from shared.workflows import keep_pair
from shared.workflows.drain_outbox import OutboxDrainer
from shared.workflows.end_grant import end_grant
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from shared.workflows.safety_nets import SafetyNets
from shared.workflows.settle_spilled_pairs import SpilledPairs
from tests.support.clock import DatabaseClock
from tests.support.queues import Queues, made_queues
from tests.support.unreliable_database import UnreliableDatabase
from tests.support.upstream_world import SignedIn, UpstreamWorld


@pytest.fixture
def queues(kms_endpoint: str) -> Iterator[Queues]:
    with made_queues(kms_endpoint) as made:
        yield made


@pytest.fixture
def spill(queues: Queues) -> Iterator[DynamoDbPairSpill]:
    made = DynamoDbPairSpill(queues.spill_table)
    yield made
    made.forget_client()


@pytest.fixture
async def signed_in(
    world: UpstreamWorld, spill: DynamoDbPairSpill, monkeypatch: pytest.MonkeyPatch
) -> SignedIn:
    """Somebody whose new pair only the second store has: Postgres was away behind the answer."""
    person = await world.sign_in()
    database = UnreliableDatabase(world.database_url)
    database.healthy_transactions, database.refusals = 1, 1_000
    with monkeypatch.context() as patched:
        patched.setattr(keep_pair, "SPILLED_STORE_SECONDS_MAX", 0.0)
        refresher = GrantRefresher(
            database, world.own.vault, world.own.oauth, nets=SafetyNets(spill=spill)
        )
        outcome = await refresher.refresh(person.grant_id, 1)
    await database.close()
    assert outcome is RefreshOutcome.INDETERMINATE
    return person


@asynccontextmanager
async def cleanup(world: UpstreamWorld, spill_table: str) -> AsyncIterator[dict[str, int]]:
    """What one run of the composed function did, with its own rights."""
    settings = CleanupFunctionSettings.from_environment(
        {
            "STAGE": "local",
            "DATABASE_URL": make_conninfo(world.database_url, user=AppRole.CLEANUP.value),
            "KMS_KEY_ID": world.kms_key_id,
            "SPILL_TABLE": spill_table,
            "DRUPAL_BASE_URL": world.site.base_url,
            "DRUPAL_CLIENT_ID": world.site.client_id,
            "DRUPAL_CLIENT_SECRET": world.site.client_secret or "",
            "DRUPAL_SCOPES": " ".join(world.site.scopes),
        }
    )
    parts = compose(settings)
    try:
        with request_context.begin_request(function="cleanup", remaining_seconds=100.0):
            yield await parts.housekeeping.run()
    finally:
        await parts.opened.close()
        parts.forget()


async def run_cleanup(world: UpstreamWorld, queues: Queues) -> dict[str, int]:
    async with cleanup(world, queues.spill_table) as done:
        return {name: count for name, count in done.items() if count}


def left(queues: Queues) -> int:
    return len(queues.dynamodb.scan(TableName=queues.spill_table)["Items"])


async def lose_the_reply(world: UpstreamWorld, signed_in: SignedIn, clock: DatabaseClock) -> None:
    """Have the grant end by somebody who does not see the second store."""
    clock.advance(DOUBT_SECONDS_MAX + 1)
    outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)
    assert outcome is RefreshOutcome.REJECTED


async def test_a_pair_that_came_while_postgres_was_away_is_stored_when_it_is_back(
    world: UpstreamWorld, queues: Queues, signed_in: SignedIn
) -> None:
    assert await run_cleanup(world, queues) == {"spilled_recovered": 1}

    grant = await world.grant(signed_in)
    assert (grant.pair_generation, left(queues)) == (2, 0)
    outcome = await world.own.refresher.refresh(signed_in.grant_id, 2)
    assert outcome is RefreshOutcome.REFRESHED


@pytest.mark.parametrize("told", [False, True], ids=["before", "after"])
async def test_a_late_pair_revives_a_rejected_grant_before_and_after_the_site_was_told(
    world: UpstreamWorld, queues: Queues, signed_in: SignedIn, clock: DatabaseClock, *, told: bool
) -> None:
    await lose_the_reply(world, signed_in, clock)
    if told:
        await world.own.drainer.drain(seconds_left=lambda: 60.0)
        assert (await world.row(signed_in))["pair_gone"]

    done = await run_cleanup(world, queues)

    assert done["spilled_recovered"] == 1
    assert (await world.row(signed_in))["status"] == "active"
    assert [action for action, _ in await world.audit()][-1] == "grant:revived"
    call = await world.call_of(signed_in)
    assert call.grant.pair_generation == 2
    outcome = await world.own.refresher.refresh(signed_in.grant_id, 2)
    assert outcome is RefreshOutcome.REFRESHED, "nothing of it was burnt"


async def test_a_late_pair_of_a_grant_that_somebody_ended_is_burnt(
    world: UpstreamWorld, queues: Queues, signed_in: SignedIn
) -> None:
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.REVOKED_BY_CLIENT)
    assert world.drupal.control.live_tokens("maya") == (1, 1)

    done = await run_cleanup(world, queues)

    assert done["spilled_discarded"] == 1
    assert world.drupal.control.live_tokens("maya")[0] == 0
    assert (await world.row(signed_in))["ended_cause"] == "revoked_by_client"
    assert left(queues) == 0


async def test_a_late_pair_is_not_forgotten_while_the_site_cannot_be_told(
    world: UpstreamWorld, queues: Queues, signed_in: SignedIn, clock: DatabaseClock
) -> None:
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.REVOKED_BY_CLIENT)
    world.drupal.control.fail("maintenance_html", route="token", times=10)
    await run_cleanup(world, queues)
    assert left(queues) == 0, "the database has it"
    world.drupal.control.clear_faults()
    clock.advance(86_400)

    done = await run_cleanup(world, queues)

    assert done["burnt"] == 2
    assert world.drupal.control.live_tokens("maya")[0] == 0


async def test_the_outbox_looks_for_a_late_pair_before_it_burns(
    world: UpstreamWorld, spill: DynamoDbPairSpill, signed_in: SignedIn, clock: DatabaseClock
) -> None:
    await lose_the_reply(world, signed_in, clock)
    nowhere = DynamoDbPairSpill("none-such")
    away, back = (
        OutboxDrainer(
            world.own.database,
            world.own.vault,
            world.own.oauth,
            late_pairs=SpilledPairs(
                world.own.database, world.own.vault, store, seconds_left=lambda: 60.0
            ),
        )
        for store in (nowhere, spill)
    )

    unknown = await away.drain(seconds_left=lambda: 60.0)
    clock.advance(3_600)
    known = await back.drain(seconds_left=lambda: 60.0)
    nowhere.forget_client()

    assert (unknown.burnt, unknown.postponed) == (0, 1)
    assert (known.burnt, known.postponed) == (1, 0)
    assert world.drupal.control.live_tokens("maya") == (1, 1)
    assert (await world.row(signed_in))["status"] == "active"


async def test_what_is_stored_already_goes_and_what_cannot_be_opened_stays(
    world: UpstreamWorld, queues: Queues, spill: DynamoDbPairSpill, signed_in: SignedIn
) -> None:
    found = await spill.get(signed_in.grant_id, 2)
    assert found is not None
    other = await world.sign_in("felix")
    strange = SealedPair(ciphertext=bytes(200), key_generation=found.pair.key_generation)
    await spill.put(replace(found, grant_id=other.grant_id, pair=strange))
    await spill.put(replace(found, grant_id=other.grant_id, pair_generation=9))
    await spill.put(replace(found, grant_id=GrantId(new_id())))
    queues.dynamodb.put_item(
        TableName=queues.spill_table,
        Item={"grant_id": {"S": "nobody"}, "pair_generation": {"N": "1"}},
    )

    first = await run_cleanup(world, queues)
    await spill.put(found)
    second = await run_cleanup(world, queues)

    settled = {"spilled_recovered": 1, "spilled_superseded": 1, "spilled_left": 2}
    assert (first, second) == (settled, {"spilled_superseded": 1, "spilled_left": 2})
    assert (await world.grant(other)).pair_generation == 1
    assert left(queues) == 3


async def test_without_the_second_store_the_rest_is_done(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    await world.sign_in()
    clock.advance(91 * 86_400)

    async with cleanup(world, "none-such") as done:
        assert done["lapsed"] == 1


async def test_pages_cover_the_whole_store(
    world: UpstreamWorld, queues: Queues, spill: DynamoDbPairSpill, signed_in: SignedIn
) -> None:
    found = await spill.get(signed_in.grant_id, 2)
    assert found is not None
    for _ in range(4):
        await spill.put(replace(found, grant_id=GrantId(new_id())))

    seen, cursor, pages = set(), None, 0
    while pages == 0 or cursor is not None:
        page = await spill.page(cursor=cursor, limit=2)
        seen |= {one.grant_id for one in page.pairs}
        cursor, pages = page.cursor, pages + 1

    assert len(seen) == 5


async def test_a_pair_that_was_replaced_meanwhile_is_not_taken_out(
    spill: DynamoDbPairSpill, world: UpstreamWorld, signed_in: SignedIn
) -> None:
    found = await spill.get(signed_in.grant_id, 2)
    assert found is not None
    later = replace(found, received_at=found.received_at.replace(year=2100))
    await spill.put(later)

    await spill.forget(found)

    assert await spill.get(signed_in.grant_id, 2) == later
