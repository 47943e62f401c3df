"""Tests that a run through PgBouncer leaves out, each with its reason; there is no other list.

The rule: what is left out looks at the server's process behind a connection, which is the pool's
choice there, and not the product's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

_IDENTITY: Final = "tells connections apart by the server's process, which changes in a pool"
_REPLACED: Final = "ends the server's process and waits for the loss, which a pool makes good"

NOT_THROUGH_A_POOL: Final[Mapping[str, str]] = {
    "integration/state/test_connection_lives.py::"
    "test_a_connection_serves_its_uses_and_another_takes_its_place": _IDENTITY,
    "integration/state/test_connection_lives.py::"
    "test_an_old_connection_is_replaced_and_not_within_a_transaction": _IDENTITY,
    "integration/state/test_database.py::"
    "test_a_restore_hook_leaves_no_connection_to_be_used_again": _IDENTITY,
    "integration/state/test_database.py::"
    "test_a_new_event_loop_starts_with_new_connections": _IDENTITY,
    "integration/state/test_database.py::"
    "test_a_closed_database_keeps_no_connection_of_who_comes_late": _IDENTITY,
    "integration/state/test_database_faults.py::test_there_is_only_one_reconnect": _REPLACED,
    "integration/workflows/test_faults_of_a_call.py::"
    "test_a_connection_that_the_server_closed_is_recovered_by_another": _REPLACED,
}


def split_for_pool(
    items: Sequence[pytest.Item],
) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """What to run through a pool, and what to leave out."""
    left_out = [item for item in items if _name(item) in NOT_THROUGH_A_POOL]
    return [item for item in items if item not in left_out], left_out


def _name(item: pytest.Item) -> str:
    return item.nodeid.removeprefix("tests/").partition("[")[0]
