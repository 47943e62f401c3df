"""What Drupal may answer to a refresh, for hours: who stays signed in, how often it is asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest

from scripts.fake_drupal.faults import FaultKind
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.workflows.refresh_grant import RefreshOutcome
from tests.integration.workflows.test_call_upstream import REFRESHES, search
from tests.integration.workflows.test_site_answers import LIVES, Life, tick_with
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import SignedIn, UpstreamWorld

LIFE_SECONDS = 3_600
TICK_SECONDS = 300
TICKS = 36
"""Three hours."""
TICKS_PER_CALL = 3
CALLS = TICKS // TICKS_PER_CALL
FOR_EVER = 100_000
PATIENCE_SECONDS = 0.5
ARRIVED = "token"

Trouble = Callable[[UpstreamWorld], None]


def fails(kind: FaultKind, *, times: int = FOR_EVER, buffer: bool = False) -> Trouble:
    def begin(world: UpstreamWorld) -> None:
        world.drupal.control.set(refresh_replay_seconds=60 if buffer else 0)
        world.drupal.control.fail(kind, route=ARRIVED, times=times)

    return begin


def does_not_know_us(world: UpstreamWorld) -> None:
    world.drupal.control.put_client(replace(world.drupal.client, secret="another"))


class Answer(NamedTuple):
    """An answer, its outcome (or error), and whether the pair may have been rotated by it."""

    name: str
    trouble: Trouble
    outcome: RefreshOutcome | ErrorCode
    in_doubt: bool
    ended_cause: str | None = None
    """Of the person who met it; nobody else ends."""


NOT_NOW = RefreshOutcome.INDETERMINATE
ANSWERS = [
    Answer("invalid_client", does_not_know_us, ErrorCode.UPSTREAM_MISCONFIGURED, in_doubt=False),
    Answer("HTML, 200", fails(FaultKind.PROXY_PAGE), NOT_NOW, in_doubt=True),
    Answer("HTML, 500", fails(FaultKind.ERROR_HTML), NOT_NOW, in_doubt=True),
    Answer("429", fails(FaultKind.RATE_LIMITED), NOT_NOW, in_doubt=False),
    Answer("503, maintenance", fails(FaultKind.MAINTENANCE_HTML), NOT_NOW, in_doubt=False),
    Answer("hangs", fails(FaultKind.HANG, times=1), NOT_NOW, in_doubt=True),
    Answer("closed before", fails(FaultKind.CLOSE_BEFORE), NOT_NOW, in_doubt=True),
    Answer(
        "closed after, buffer",
        fails(FaultKind.CLOSE_AFTER, times=1, buffer=True),
        NOT_NOW,
        in_doubt=True,
    ),
    Answer(
        "closed after, no buffer",
        fails(FaultKind.CLOSE_AFTER, times=1),
        NOT_NOW,
        in_doubt=True,
        ended_cause="reply_lost",
    ),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
async def test_an_answer_signs_nobody_out_who_still_has_a_pair_and_the_site_is_not_thrashed(
    world: UpstreamWorld, clock: DatabaseClock, answer: Answer
) -> None:
    world.drupal.control.set(access_token_seconds=LIFE_SECONDS)
    maya, felix = await world.sign_in("maya"), await world.sign_in("felix")
    answer.trouble(world)

    assert await _first(world, maya) is answer.outcome
    assert (None in await world.outcomes(maya)) is answer.in_doubt
    if answer.in_doubt:
        # A site that has the buffer gives the answer again; without it nobody knows for a while.
        await world.own.refresher.refresh(maya.grant_id, 1, timeout_seconds=PATIENCE_SECONDS)
    await _hours(world, clock, [maya, felix])
    asked = len(world.drupal.control.requests(ARRIVED))
    _recover(world)

    people = 2
    assert asked <= 2 + people * (TICKS + CALLS), "once for a tick and for a call, at most"
    rows = {name: await world.row(one) for name, one in (("maya", maya), ("felix", felix))}
    assert rows["maya"]["ended_cause"] == answer.ended_cause
    assert rows["felix"]["ended_cause"] is None
    for one in (maya, felix) if answer.ended_cause is None else (felix,):
        assert await search(world, one) > 0
    ends = [details for action, details in await world.audit() if action == "grant:ended"]
    assert ends == ([] if answer.ended_cause is None else [{"cause": answer.ended_cause}])


@pytest.mark.parametrize("life", LIVES, ids=lambda life: str(life.told))
async def test_any_life_that_is_told_costs_a_refresh_per_call_at_most(
    world: UpstreamWorld, clock: DatabaseClock, life: Life
) -> None:
    world.drupal.control.set(expires_in=life.told, access_token_seconds=life.stored_seconds)
    signed_in = await world.sign_in()

    failed = await _hours(world, clock, [signed_in])

    hours = TICKS * TICK_SECONDS / 3_600
    by_schedule = hours * 3_600 / (life.stored_seconds / 2) if life.scheduled else 0
    asked = world.drupal.control.count(REFRESHES)
    assert failed == 0
    assert asked <= by_schedule + (0 if life.scheduled else CALLS) + 1
    assert (await world.row(signed_in))["status"] == "active"


async def _first(world: UpstreamWorld, signed_in: SignedIn) -> RefreshOutcome | ErrorCode:
    try:
        return await world.own.refresher.refresh(
            signed_in.grant_id, 1, timeout_seconds=PATIENCE_SECONDS
        )
    except ServiceError as error:
        return error.code


async def _hours(world: UpstreamWorld, clock: DatabaseClock, people: list[SignedIn]) -> int:
    """Three hours with schedule and calls; how many calls failed."""
    failed = 0
    for number in range(TICKS):
        clock.advance(TICK_SECONDS)
        world.drupal.control.advance(TICK_SECONDS)
        await tick_with(world, world.own.refresher).run()
        if number % TICKS_PER_CALL == 0:
            for one in people:
                failed += not await _served(world, one)
    return failed


async def _served(world: UpstreamWorld, signed_in: SignedIn) -> bool:
    try:
        return await search(world, signed_in) > 0
    except (ServiceError, AssertionError):
        return False  # an outage, or an ended session that is no longer found


def _recover(world: UpstreamWorld) -> None:
    world.drupal.control.clear_faults()
    world.drupal.control.put_client(world.drupal.client)
