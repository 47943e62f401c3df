import os
import sys

import pytest

from scripts.benchmarks import process_usage, statements
from scripts.benchmarks.import_times import by_package
from scripts.benchmarks.samples import summary
from scripts.benchmarks.statements import statements_of
from scripts.benchmarks.tables import median, spread, table, times
from scripts.benchmarks.tool_requests import SEARCH, SEARCH_STREAMED, AnswerError
from shared.state.roles import AppRole

RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
REFUSED = b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}'
STREAM = b'event: message\r\ndata: {"method":"notifications/progress"}\r\n\r\ndata: ' + RESULT
IMPORTS = """
import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |     pydantic.fields
import time:       500 |       1500 |   pydantic
import time:       700 |        700 |   shared.errors.base
import time:       900 |       2400 | functions.oauth.app
"""
LOG = [
    "app_mcp_endpoint: LOG:  execute <unnamed>: SELECT * FROM app.authenticate_call($1)",
    "app_mcp_endpoint: LOG:  execute <unnamed>: ",
    "\tSELECT 1 FROM",
    "\t  app.close_call($1)",
    "app_mcp_endpoint: DETAIL:  Parameters: $1 = 'x'",
    "app_cleanup: LOG:  statement: SELECT 1",
    "app_mcp_endpoint: LOG:  statement: BEGIN",
    "2026-11-23 04:00:00 UTC [1] LOG:  checkpoint starting: time",
]


def test_only_the_asked_for_result_counts_as_an_answer() -> None:
    SEARCH.check(200, "application/json", RESULT)
    SEARCH_STREAMED.check(200, "text/event-stream; charset=utf-8", STREAM)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (401, "application/json", b"{}"),
        (200, "text/event-stream", STREAM),
        (200, "application/json", REFUSED),
        (200, "application/json", b'{"jsonrpc":"2.0","id":1,"error":{}}'),
    ],
)
def test_a_quick_refusal_is_not_taken_for_an_answer(
    status: int, content_type: str, body: bytes
) -> None:
    with pytest.raises(AnswerError):
        SEARCH.check(status, content_type, body)


def test_import_times_are_added_up_by_package_and_by_room() -> None:
    found = {one.package: (one.modules, one.own_ms) for one in by_package(IMPORTS)}

    assert found == {
        "pydantic": (2, 1.5),
        "functions.oauth": (1, 0.9),
        "shared.errors": (1, 0.7),
    }


def test_only_statements_of_the_asked_for_role_are_counted() -> None:
    assert statements_of(LOG, AppRole.MCP_ENDPOINT) == [
        "SELECT * FROM app.authenticate_call($1)",
        "SELECT 1 FROM app.close_call($1)",
        "BEGIN",
    ]


def test_a_query_is_named_by_what_it_reads() -> None:
    query = "SELECT call.*, app.circuit_view() AS c FROM app.authenticate_call($1) AS call"
    assert statements._kind(query) == "app.authenticate_call"
    assert statements._kind("SELECT app.close_call($1), app.end_call($2)") == "app.close_call"
    assert statements._kind("INSERT INTO app.a SELECT 1 FROM app.b") == "app.a"
    assert statements._kind("COMMIT") == "commit"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's books")
def test_the_kernel_tells_what_a_process_has_used() -> None:
    cpu, memory = (
        process_usage.cpu_milliseconds(os.getpid()),
        process_usage.peak_memory_mb(os.getpid()),
    )

    assert cpu is not None
    assert cpu > 0
    assert memory is not None
    assert memory > 1


def test_a_process_that_is_gone_has_no_figures() -> None:
    assert process_usage.cpu_milliseconds(2**30) is None
    assert process_usage.peak_memory_mb(2**30) is None


def test_tables_are_markdown_with_numbers_to_the_right() -> None:
    text = table(("what", "ms"), [("a", "1"), ("longer", "1,000")])

    assert text.splitlines() == [
        "| what   |    ms |",
        "| ------ | ----: |",
        "| a      |     1 |",
        "| longer | 1,000 |",
    ]


def test_what_was_not_measured_is_a_dash() -> None:
    measured = summary([1.0, 3.0])

    assert [median(None), times(None)] == ["-", "-"]
    assert [median(measured), spread(measured), times(1.25)] == ["2", "1..3", "1.25x"]
