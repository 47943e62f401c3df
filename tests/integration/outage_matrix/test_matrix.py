"""The outage matrix: every part away in every manner, and what people and clients get to see.

What is expected stands in ``scripts.outages``. No cell is a 500, a hang past the deadline, a
sign-out or a leak, and after each row everything works again with the same session and pairs.
"""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from scripts.outages import (
    CIRCUITS,
    TABLE,
    Action,
    Away,
    Background,
    Fault,
    Impossible,
    Row,
    rows_of,
)
from shared.domain.health import Readiness
from shared.errors.catalogue import CATALOGUE, ErrorCode
from tests.integration.outage_matrix.actions import (
    DEADLINE_SECONDS,
    SEARCH,
    SHORT_SECONDS,
    Seen,
    ask_tool,
    background,
    refresh,
    run,
)
from tests.integration.outage_matrix.circuits import drive
from tests.integration.outage_matrix.leaks import found_in_answer, found_in_log
from tests.integration.outage_matrix.told import lines_of
from tests.integration.outage_matrix.world import MatrixWorld, running_matrix_world

TOOLS = {Action.SEARCH, Action.READ}
WAITING = {Action.TOKEN, Action.DOCUMENT}
"""These use their time up before they refuse."""
_ENDED = """
    SELECT (SELECT count(*) FROM app.grants WHERE status <> 'active')
         + (SELECT count(*) FROM app.sessions WHERE ended_at IS NOT NULL)
"""


def test_every_row_is_expected_or_impossible_for_a_reason() -> None:
    assert [list(rows) for rows in TABLE.values()] == [list(Fault)] * len(Away)
    assert list(TABLE) == list(Away)
    reasons = [
        row.reason
        for rows in TABLE.values()
        for row in rows.values()
        if isinstance(row, Impossible)
    ]
    assert all(reasons)
    assert not [ErrorCode.INTERNAL_ERROR for row in _all_rows() for a in Action if _is_500(row, a)]


def _all_rows() -> Iterator[Row]:
    return (row for away in Away for row in rows_of(away).values())


def _is_500(row: Row, action: Action) -> bool:
    code = row.code(action)
    return code is not None and CATALOGUE[code].http_status == 500


@pytest.mark.parametrize("away", Away)
async def test_an_outage_is_told_to_whom_it_concerns_and_signs_nobody_out(
    away: Away,
    database_url: str,
    kms_key_id: str,
    kms_endpoint: str,
    database_admin: psycopg.Connection[object],
) -> None:
    found: list[str] = []
    async with running_matrix_world(
        database_url, database_admin, kms_key_id=kms_key_id, kms_endpoint=kms_endpoint
    ) as world:
        for fault, row in rows_of(away).items():
            await world.begin_row(away, fault)
            problems = [
                *[problem async for problem in _answers(world, away, fault, row)],
                *await _circuit(world, away, fault, row),
                *await _recovery(world),
            ]
            found += [f"{away}, {fault}, {problem}" for problem in problems]
    assert not found, "\n".join(found)


async def _answers(world: MatrixWorld, away: Away, fault: Fault, row: Row) -> AsyncIterator[str]:
    """What is answered otherwise than the row says, or told to whom it should not be."""
    for action in Action:
        world.impose(away, fault)
        waits = action in WAITING and row.code(action) is not None
        seconds = SHORT_SECONDS if waits else DEADLINE_SECONDS
        seen = await run(action, world, seconds=seconds)
        log = world.told.take()
        problems = [
            *_unlike(row, action, seen, in_result=away is not Away.POSTGRES),
            *(f"the log does not say {code}" for code in _unnamed(row, action, log)),
            *(f"{what} in the log" for what in found_in_log(world, log)),
            *(
                f"{what} in the answer"
                for what in found_in_answer(world, seen.text, refused=seen.code is not None)
            ),
        ]
        for problem in problems:
            yield f"{action}: {problem}"


def _unlike(row: Row, action: Action, seen: Seen, *, in_result: bool) -> Iterator[str]:
    """How the answer differs from the row; ``in_result``: tools tell the error as their result."""
    status, said = _expected(row, action, in_result=in_result)
    if seen.status != status or said not in str(seen.code).split("|"):
        yield f"{seen.status} {seen.code} instead of {status} {said}"
    code = row.code(action)
    may_be_over = status == 503 or (code is not None and CATALOGUE[code].retryable)
    if may_be_over and not int(seen.retry_after or 0) > 0:
        yield "nothing says when to come back"


def _expected(row: Row, action: Action, *, in_result: bool) -> tuple[int, str]:
    """Status, and the word that tells what is the matter."""
    ready = {Action.READY_MCP: row.ready_mcp, Action.READY_OAUTH: row.ready_oauth}.get(action)
    if ready is not None:
        return 503 if ready is Readiness.UNAVAILABLE else 200, ready
    if action is Action.BACKGROUND:
        return 200, row.background
    code = row.code(action)
    if code is None:
        return 303 if action is Action.CALLBACK else 200, "None"
    return 200 if in_result and action in TOOLS else CATALOGUE[code].http_status, code


def _unnamed(row: Row, action: Action, log: str) -> Iterator[str]:
    """The code, unless the log tells it: pages word the outages of parts of ours alike."""
    code = row.code(action)
    if code is not None and code not in {line.get("error_code") for line in lines_of(log)}:
        yield code


async def _circuit(world: MatrixWorld, away: Away, fault: Fault, row: Row) -> list[str]:
    if away not in CIRCUITS:
        return []
    driven = await drive(world, away, fault)
    leaks = found_in_log(world, driven.log)
    checks = {
        f"circuit is {driven.opens} instead of {row.circuit}": driven.opens == row.circuit,
        f"circuits of others opened: {set(driven.others)}": not driven.others,
        f"{driven.reached_when_open} calls reached it": driven.reached_when_open == 0,
        "the circuit did not come back": driven.back,
        f"{leaks} in the circuit's log": not leaks,
    }
    return [problem for problem, fine in checks.items() if not fine]


async def _recovery(world: MatrixWorld) -> list[str]:
    """The same session and pairs serve on: nothing was lost."""
    world.heal()
    checks = {
        "tools do not work again": (await ask_tool(world, SEARCH)).code is None,
        "the session is not refreshed": (await refresh(world)).status == 200,
        "a pair is lost": (await background(world)).code == Background.REFRESHED,
        "somebody was signed out": world.admin.execute(_ENDED).fetchone() == (0,),
    }
    return [problem for problem, fine in checks.items() if not fine]
