"""Two parts away at once: the answer is the first one's, and log and debug mode name it."""

import html
import re
from collections.abc import Iterator

import psycopg
import pytest

from scripts.outages import Action, Away, Background, Fault
from shared.errors.catalogue import ErrorCode
from shared.observability import debug_answers
from shared.observability.request_context import begin_request
from tests.integration.outage_matrix.actions import (
    READ,
    SEARCH,
    SHORT_SECONDS,
    Seen,
    ask_tool,
    door_of,
    refresh,
    run,
)
from tests.integration.outage_matrix.leaks import found_in_answer, found_in_log
from tests.integration.outage_matrix.told import lines_of
from tests.integration.outage_matrix.world import MatrixWorld, running_matrix_world

DATABASE, KEYS = ErrorCode.DATABASE_UNAVAILABLE, ErrorCode.KEY_SERVICE_UNAVAILABLE

_CAUSE = re.compile(r'"first_cause": ?"(\w+)"')
PAIRS = {
    (Away.POSTGRES, Away.DRUPAL_RPC): {Action.SEARCH: DATABASE, Action.READ: DATABASE},
    (Away.POSTGRES, Away.DRUPAL_OAUTH): {Action.CALLBACK: DATABASE, Action.TOKEN: DATABASE},
    (Away.KMS, Away.DRUPAL_OAUTH): {Action.CALLBACK: KEYS, Action.READ: KEYS},
    (Away.SEARCH, Away.POSTGRES): {Action.SEARCH: DATABASE, Action.READ: DATABASE},
}
"""Nobody gets as far as the second part: who are they, and with which key, comes before it."""
TICKS = {
    (Away.POSTGRES, Away.DRUPAL_RPC): Background.NO_TICK,
    (Away.POSTGRES, Away.DRUPAL_OAUTH): Background.NO_TICK,
    (Away.KMS, Away.DRUPAL_OAUTH): Background.NOT_BEGUN,
    (Away.SEARCH, Away.POSTGRES): Background.NO_TICK,
}


@pytest.fixture(autouse=True)
def debug_mode() -> Iterator[None]:
    """As in a stage of development."""
    debug_answers.configure(enabled=True)
    yield
    debug_answers.configure(enabled=False)


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_of_two_outages_the_first_cause_is_named_to_operators_and_in_debug_mode(
    first: Away,
    second: Away,
    database_url: str,
    kms_key_id: str,
    kms_endpoint: str,
    database_admin: psycopg.Connection[object],
) -> None:
    async with running_matrix_world(
        database_url, database_admin, kms_key_id=kms_key_id, kms_endpoint=kms_endpoint
    ) as world:
        await world.begin_row(first, Fault.REFUSED)
        for action, code in PAIRS[first, second].items():
            world.impose(first, Fault.REFUSED)
            world.impose_too(second, Fault.SERVER_ERROR)
            seen = await run(action, world, seconds=_seconds(action))
            _names(world, code, seen, world.told.take())
        world.impose(first, Fault.REFUSED)
        world.impose_too(second, Fault.SERVER_ERROR)
        assert (await run(Action.BACKGROUND, world)).code == TICKS[first, second]
        world.heal()
        assert (await refresh(world)).status == 200
        assert (await run(Action.BACKGROUND, world)).code == Background.REFRESHED
        assert (await run(Action.SEARCH, world)).code is None


async def test_who_was_verified_before_both_were_away_hears_of_the_search(
    database_url: str,
    kms_key_id: str,
    kms_endpoint: str,
    database_admin: psycopg.Connection[object],
) -> None:
    async with running_matrix_world(
        database_url, database_admin, kms_key_id=kms_key_id, kms_endpoint=kms_endpoint
    ) as world:
        await world.begin_row(Away.SEARCH, Fault.REFUSED)
        async with world.mcp_endpoint() as parts, door_of(parts) as door:
            with begin_request(function="matrix", remaining_seconds=12.0):
                assert (await ask_tool(world, READ, door)).code is None
            world.told.take()
            world.impose(Away.SEARCH, Fault.REFUSED)
            world.impose_too(Away.POSTGRES, Fault.REFUSED)
            parts.opened.database.forget_connections()
            with begin_request(function="matrix", remaining_seconds=12.0):
                seen = await ask_tool(world, SEARCH, door)
            _names(world, ErrorCode.SEARCH_UNAVAILABLE, seen, world.told.take())


def _seconds(action: Action) -> float:
    return SHORT_SECONDS if action is Action.TOKEN else 12.0


def _names(world: MatrixWorld, code: ErrorCode, seen: Seen, log: str) -> None:
    """Answer, log and debug mode agree on what came first, and nothing leaks in debug mode."""
    assert code.value in str(seen.code).split("|"), seen
    assert int(seen.retry_after or 0) > 0
    causes = [line["first_cause"] for line in lines_of(log) if "first_cause" in line]
    assert causes
    assert set(causes) == {code.value}
    assert _CAUSE.findall(html.unescape(seen.text)) == [code.value]
    assert not found_in_log(world, log)
    assert not found_in_answer(world, seen.text, refused=True)
