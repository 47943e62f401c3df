"""The outage matrix: every part away in every manner, and what people and clients get to see.

No cell is a 500, a hang past the deadline, a sign-out or a leak.
"""

import psycopg
import pytest

from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.vault import kms_data_keys
from tests.integration.outage_matrix.actions import SEARCH as SEARCH_CALL
from tests.integration.outage_matrix.actions import Action, Seen, ask_tool, refresh, run
from tests.integration.outage_matrix.expectations import CELLS, IMPOSSIBLE, TOOLS, WELL
from tests.integration.outage_matrix.faults import CANARY, Away, Fault
from tests.integration.outage_matrix.world import MatrixWorld, running_matrix_world

ANSWERED = [action for action in Action if action is not Action.BACKGROUND]
"""The background refresh has its own tests of faults: nobody waits for its answer."""
HEALTH = {Action.READY_MCP, Action.READY_OAUTH}


def test_every_cell_is_expected_or_impossible_for_a_reason() -> None:
    named = CELLS.keys() | IMPOSSIBLE.keys()
    everything = {(away, fault) for away in Away for fault in Fault}
    assert everything - named == {(Away.POSTGRES, Fault.HALF)}


@pytest.mark.parametrize(("away", "fault"), CELLS)
async def test_an_outage_is_told_to_whom_it_concerns_and_signs_nobody_out(
    away: Away,
    fault: Fault,
    database_url: str,
    kms_key_id: str,
    kms_endpoint: str,
    database_admin: psycopg.Connection[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)  # the SDK would wait between them
    async with running_matrix_world(database_url, kms_key_id, kms_endpoint) as world:
        for action in ANSWERED:
            world.begin_action(away, fault)
            seen = await run(action, world)
            _is_as_expected(away, fault, action, seen)
            _leaks_nothing(world, action, seen)
        world.heal()
        assert (await ask_tool(world, SEARCH_CALL)).code is None
        assert (await refresh(world)).status == 200
    ended = database_admin.execute("SELECT count(*) FROM app.grants WHERE status <> 'active'")
    assert ended.fetchone() == (0,)


def _is_as_expected(away: Away, fault: Fault, action: Action, seen: Seen) -> None:
    cell = f"{away} {fault}, {action}: {seen}"
    if action in HEALTH:
        broken = away is Away.POSTGRES and fault is not Fault.SLOW
        assert (seen.status, seen.retry_after) == ((503, "15") if broken else (200, None)), cell
        return
    code = CELLS[away, fault].get(action)
    if code is None:
        assert (seen.status, seen.code) == (WELL[action], None), cell
        return
    entry = CATALOGUE[code]
    in_result = action in TOOLS and away is not Away.POSTGRES
    assert seen.status == (200 if in_result else entry.http_status), cell
    # Parts of ours are worded alike on pages: nobody outside needs to tell them apart.
    assert seen.code == "unworded" or code.value in str(seen.code).split("|"), cell
    if entry.retryable:
        assert int(seen.retry_after or 0) > 0, cell
    assert ErrorCode.INTERNAL_ERROR.value not in str(seen.code), cell


def _leaks_nothing(world: MatrixWorld, action: Action, seen: Seen) -> None:
    refused = seen.code is not None
    secrets = [CANARY, "Traceback", "psycopg", "botocore", "httpx"]
    held = [world.tokens["access_token"], world.waiting["code"]] if refused else []
    assert not [one for one in (*secrets, *held) if one in seen.text], action
