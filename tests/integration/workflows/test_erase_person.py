"""A person is erased: the name and the access at once, Drupal told, then the salt destroyed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pytest

from functions.cleanup.housekeeping import Housekeeping
from scripts import erase_person
from shared.domain.grants import Grant
from shared.domain.sessions import EndCause
from shared.state.roles import AppRole
from shared.vault.token_vault import SealedTokenRefusedError
from shared.workflows.erase_person import (
    SETTLE_SECONDS,
    WAIT_SECONDS_MAX,
    PendingErasures,
    request_erasure,
)
from shared.workflows.refresh_grant import RefreshOutcome
from shared.workflows.sealed_pairs import open_pair
from shared.workflows.suspension import GrantEndedError
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import SignedIn, UpstreamWorld
from tests.support.usage_rows import a_search, keep

DAY: Final = 86_400

Admin = psycopg.Connection[Any]


async def cleaned(world: UpstreamWorld) -> dict[str, int]:
    """One run of the cleanup, with the rights it has."""
    worker = world.worker(AppRole.CLEANUP)
    return await Housekeeping(
        worker.database,
        worker.drainer,
        worker.discarded,
        batch_max=100,
        seconds_left=lambda: 100.0,
        chores=(PendingErasures(worker.database),),
    ).run()


def person(admin: Admin, signed_in: SignedIn) -> tuple[str, bool, bool]:
    """Who the row says it is, whether it has a salt, whether it is erased."""
    row = admin.execute(
        "SELECT subject, salt IS NOT NULL, erased_at IS NOT NULL FROM app.users WHERE user_id = %s",
        [signed_in.user_id],
    ).fetchone()
    assert row is not None
    subject, has_salt, erased = row
    return subject, has_salt, erased


async def test_the_request_ends_everything_and_forgets_who_it_was(
    world: UpstreamWorld, database_admin: Admin
) -> None:
    maya, again = await world.sign_in("maya"), await world.sign_in("maya")
    felix = await world.sign_in("felix")

    first = await request_erasure(world.own.database, maya.user_id)
    second = await request_erasure(world.own.database, maya.user_id)

    assert (first, second) == (True, False)
    assert maya.user_id == again.user_id
    for one in (maya, again):
        assert (await world.row(one))["ended_cause"] == EndCause.ERASED.value
    assert (await world.row(felix))["status"] == "active"
    assert person(database_admin, maya) == (f"erased:{maya.user_id}", True, False)
    assert [action for action, _ in await world.audit()].count("person:erasure_requested") == 1


async def test_what_an_erased_person_searched_for_goes_at_once_and_nobody_elses(
    world: UpstreamWorld, database_admin: Admin
) -> None:
    maya, felix = await world.sign_in("maya"), await world.sign_in("felix")
    now = datetime.now(UTC)
    keep(database_admin, a_search(now, maya.user_id), a_search(now, felix.user_id))
    database_admin.execute(
        "INSERT INTO app.searches_shown (search_id, user_id, first_rank, content_ids)"
        " SELECT event_id, user_id, 1, '{7}' FROM app.usage_events"
    )

    await request_erasure(world.worker(AppRole.CLEANUP).database, maya.user_id)

    queries = database_admin.execute("SELECT user_id, query FROM app.usage_events").fetchall()
    shown = database_admin.execute("SELECT user_id FROM app.searches_shown").fetchall()
    assert dict(queries) == {maya.user_id: None, felix.user_id: "views"}
    assert shown == [(felix.user_id,)]


async def test_the_salt_goes_after_drupal_was_told_and_not_before(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    sealed = await world.grant(maya)
    assert world.drupal.control.live_tokens("maya") == (1, 1)
    await request_erasure(world.own.database, maya.user_id)
    world.drupal.control.fail("error_html", route="token", times=20)
    world.drupal.control.fail("error_html", route="revoke", times=20)
    clock.advance(SETTLE_SECONDS + 1)
    told_nothing = await cleaned(world)
    waiting = person(database_admin, maya)
    world.drupal.control.clear_faults()
    clock.advance(DAY)

    done = await cleaned(world)

    assert (told_nothing["people_erased"], told_nothing["erasures_pending"]) == (0, 1)
    assert waiting == (f"erased:{maya.user_id}", True, False)
    assert (done["burnt"], done["people_erased"], done["erasures_pending"]) == (1, 1, 0)
    assert world.drupal.control.live_tokens("maya")[0] == 0
    assert person(database_admin, maya) == (f"erased:{maya.user_id}", False, True)
    assert ("person:erased", {"drupal_told": True}) in await world.audit()
    # A copy of the pair that was made before, with KMS at hand and all data keys there.
    with pytest.raises(SealedTokenRefusedError):
        await open_pair(world.own.vault, _as_stored_now(sealed, database_admin, maya))


def _as_stored_now(grant: Grant, admin: Admin, signed_in: SignedIn) -> Grant:
    row = admin.execute(
        "SELECT salt FROM app.users WHERE user_id = %s", [signed_in.user_id]
    ).fetchone()
    assert row is not None
    return replace(grant, user_salt=bytes(row[0] or b""))


async def test_a_drupal_that_stays_away_holds_the_erasure_up_for_a_bounded_time(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    await request_erasure(world.own.database, maya.user_id)
    world.drupal.control.fail("error_html", route="token", times=100)
    world.drupal.control.fail("error_html", route="revoke", times=100)
    clock.advance(WAIT_SECONDS_MAX - 60)
    before = await cleaned(world)
    clock.advance(120)

    after = await cleaned(world)

    assert (before["people_erased"], after["people_erased"]) == (0, 1)
    assert (await world.row(maya))["pair_gone"]
    assert ("person:erased", {"drupal_told": False}) in await world.audit()
    outbox = database_admin.execute("SELECT count(*) FROM app.revocation_outbox").fetchone()
    assert outbox == (0,)


async def test_a_call_and_a_refresh_of_an_erased_person_come_to_nothing(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    clock.advance(301)
    call = await world.call_of(maya)
    await request_erasure(world.own.database, maya.user_id)

    async def request(access_token: str) -> None:
        raise AssertionError(access_token)

    outcome = await world.own.refresher.refresh(maya.grant_id, 1)
    with pytest.raises(GrantEndedError):
        await world.own.caller.run(call, request)

    assert outcome is RefreshOutcome.NOT_DUE
    assert world.drupal.control.count("grant:refresh_token") == 0


async def test_a_refresh_under_way_during_the_request_stores_nothing_and_burns_its_pair(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.worker().refresher.refresh(maya.grant_id, 1))
    await gate.reached()

    await request_erasure(world.own.database, maya.user_id)
    gate.release()
    outcome = await refreshing
    clock.advance(SETTLE_SECONDS + 1)
    done = await cleaned(world)

    assert outcome is RefreshOutcome.NOT_DUE
    assert done["people_erased"] == 1
    assert world.drupal.control.live_tokens("maya")[0] == 0


async def test_who_signs_in_again_is_somebody_new(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    before = await world.sign_in("maya")
    await request_erasure(world.own.database, before.user_id)
    after = await world.sign_in("maya")
    clock.advance(SETTLE_SECONDS + 1)

    await cleaned(world)

    assert after.user_id != before.user_id
    assert person(database_admin, before)[1:] == (False, True)
    assert (await world.row(after))["status"] == "active"
    assert (await world.pair(after)).access_token


async def test_a_sign_in_that_finishes_during_the_erasure_is_ended_too(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya = await world.sign_in("maya")
    await request_erasure(world.own.database, maya.user_id)
    late = await world.sign_in("maya")
    database_admin.execute(
        "UPDATE app.grants SET user_id = %s WHERE grant_id = %s", [maya.user_id, late.grant_id]
    )

    first = await cleaned(world)

    assert first["people_erased"] == 0
    assert (await world.row(late))["ended_cause"] == EndCause.ERASED.value


@pytest.mark.parametrize("confirm", [False, True])
async def test_the_command_changes_nothing_unless_confirmed(
    world: UpstreamWorld,
    database_admin: Admin,
    capsys: pytest.CaptureFixture[str],
    *,
    confirm: bool,
) -> None:
    maya = await world.sign_in()
    subject = (await world.grant(maya)).subject

    status = await erase_person.erase(
        world.worker(AppRole.CLEANUP).database,
        site=world.site.base_url,
        subject=subject,
        confirm=confirm,
    )

    said = capsys.readouterr().out
    assert status == 0
    assert "grants in force    1" in said
    assert ("Nothing was changed" in said) is not confirm
    assert (await world.row(maya))["status"] == ("ended" if confirm else "active")
    assert person(database_admin, maya)[0] == (f"erased:{maya.user_id}" if confirm else subject)


async def test_the_command_says_when_nobody_is_known(
    world: UpstreamWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    status = await erase_person.erase(
        world.own.database, site=world.site.base_url, subject="nobody", confirm=True
    )

    assert status == 1
    assert "Nobody of this id" in capsys.readouterr().out


def test_the_command_asks_for_its_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert erase_person.main(["17", "--site", "https://site.example"]) == 2
    assert "DATABASE_URL" in capsys.readouterr().err
