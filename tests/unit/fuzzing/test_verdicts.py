"""The judge of made-up requests sees what must not be answered, and lets pass what may."""

import json
from typing import Any

import pytest

from scripts.fuzzing.exchange import DEADLINE_SECONDS, Answer
from scripts.fuzzing.tally import Tally
from scripts.fuzzing.verdicts import complaints
from shared.errors.base import ServiceError
from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.errors.translation import as_jsonrpc_error, as_oauth_error, as_problem


class PassingError(ServiceError):
    code = ErrorCode.DATABASE_UNAVAILABLE


class RefusedError(ServiceError):
    code = ErrorCode.INVALID_REQUEST


def answer(
    body: Any = None,
    *,
    status: int = 200,
    media_type: str = "application/json",
    seconds: float = 0.1,
    is_head: bool = False,
    **headers: str,
) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    ours = {"x-correlation-id": "c", "content-type": media_type}
    return Answer(
        status=status,
        headers=ours | {name.replace("_", "-"): value for name, value in headers.items()},
        body=text.encode(),
        seconds=seconds,
        is_head=is_head,
    )


ALLOWED = {
    "a result": answer({"jsonrpc": "2.0", "id": 1, "result": {}}),
    "an OAuth error": answer(as_oauth_error(RefusedError(), correlation_id="c"), status=400),
    "a JSON-RPC error": answer(as_jsonrpc_error(RefusedError(), correlation_id="c"), status=400),
    "a problem": answer(
        as_problem(RefusedError(), correlation_id="c"),
        status=400,
        media_type="application/problem+json",
    ),
    "an outage": answer(
        as_oauth_error(PassingError(), correlation_id="c"), status=503, retry_after="2"
    ),
    "a page": answer(
        f"<p>{CATALOGUE[ErrorCode.SIGN_IN_EXPIRED].message}</p>", status=400, media_type="text/html"
    ),
    "a protocol error": answer(
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "Method not found"}},
        status=404,
    ),
    "an answer without a body": answer("", status=404, is_head=True),
    "a refusal of the front": Answer(
        status=400, headers={}, body=b"bad request", seconds=0.1, is_head=False
    ),
}
REFUSED = {
    "a 500 of the catalogue": answer(
        as_oauth_error(ServiceError(), correlation_id="c"), status=500
    ),
    "an outage without Retry-After": answer(
        as_oauth_error(PassingError(), correlation_id="c"), status=503
    ),
    "an outage that is none": answer(
        as_oauth_error(RefusedError(), correlation_id="c"), status=503, retry_after="2"
    ),
    "an unknown code": answer({"code": "oops"}, status=400),
    "an error without a code": answer({"error": "invalid_request"}, status=400),
    "a fault worded by the SDK": answer(
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "Internal server error"}}
    ),
    "an error within a stream": answer(
        'event: message\ndata: {"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"boom"}}\n\n',
        media_type="text/event-stream",
    ),
    "a trace": answer({"x": 'Traceback (most recent call last):\n  File "a.py", line 3'}),
    "a driver's text": answer({"x": "psycopg.errors.UndefinedColumn"}),
    "SQL": answer({"x": "SELECT client_id FROM app.grants WHERE x"}),
    "upstream text": answer({"x": "The website encountered an unexpected error."}),
    "upstream text in a header": answer({}, location="/core/install.php"),
    "a late answer": answer({}, seconds=DEADLINE_SECONDS + 1),
    "a fault of the front": Answer(
        status=502, headers={}, body=b"Internal Server Error", seconds=0.1, is_head=False
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_may_be_answered_passes(name: str) -> None:
    assert list(complaints(ALLOWED[name])) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_be_answered_is_found(name: str) -> None:
    tally = Tally("part")

    tally.add("GET /", REFUSED[name])

    assert tally.findings
    assert set(tally.findings.values()) == {"GET /"}
