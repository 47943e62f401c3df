import base64
import json
from typing import Any

import pytest

from functions.mcp_endpoint import message_trace
from functions.mcp_endpoint.message_trace import trace_of_message
from shared.observability.trace_context import TraceContext

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TOLD = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


def event(params: Any, *, encoded: bool = False) -> dict[str, Any]:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    sent = base64.b64encode(body.encode()).decode() if encoded else body
    return {"body": sent, "isBase64Encoded": encoded}


@pytest.mark.parametrize("encoded", [False, True])
def test_the_trace_of_a_message_is_taken_from_its_meta(encoded: bool) -> None:  # noqa: FBT001 - a case
    found = trace_of_message(event({"_meta": TOLD, "arguments": {}}, encoded=encoded))

    assert found == TraceContext(TRACE, PARENT, sampled=True)


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {},
        {"body": None},
        {"body": "traceparent"},
        {"body": "[traceparent", "isBase64Encoded": True},
        event({"arguments": TOLD}),
        event({"_meta": {"traceparent": {"traceparent": TOLD}}}),
        event({"_meta": [TOLD]}),
        event([{"_meta": TOLD}]),
        {"body": json.dumps([{"params": {"_meta": TOLD}}])},
    ],
)
def test_whatever_else_a_body_holds_begins_no_trace(given: Any) -> None:
    assert trace_of_message(given) is None


def test_a_large_message_is_not_read_for_it() -> None:
    padding = " " * message_trace.BODY_BYTES_MAX

    assert trace_of_message(event({"_meta": TOLD, "padding": padding})) is None
