"""Answers to protected calls in the shapes recorded from both Drupal versions."""

import json
from typing import Any

import pytest

from shared.errors.base import ServiceError
from shared.upstream.answers import Answer
from shared.upstream.drupal_rpc import result_of
from shared.upstream.failures import (
    AccessForbiddenError,
    ArgumentsRejectedError,
    ContentNotFoundError,
    InsufficientUpstreamScopeError,
    SearchUnavailableError,
    UpstreamAnswerInvalidError,
    UpstreamMaintenanceError,
    UpstreamMisconfiguredError,
    UpstreamRateLimitedError,
    UpstreamTokenRejectedError,
    UpstreamUnavailableError,
)

PAGE = b"<!DOCTYPE html><html><title>Unauthorized | Fixture LMS</title></html>"
APOLOGY = b"The website encountered an unexpected error. Try again later."
DENIED = b'{"message":"The resource owner or authorization server denied the request."}'
MAINTENANCE = b"Fixture LMS is currently under maintenance. We should be back shortly."


def bearer(description: str, error: str = "access_denied") -> str:
    return f'Bearer realm="OAuth", error="{error}", error_description="{description}"'


def rpc_error(code: int, data: Any = None, *, status: int = 200) -> Answer:
    error = {"code": code, "message": "Fixed Title", "data": data}
    body = {"jsonrpc": "2.0", "id": None, "error": error}
    return Answer(status=status, body=json.dumps(body).encode())


SCOPE_CHALLENGE = 'Bearer realm="MCP Tools", error="insufficient_scope", scope="tutorial:read"'
BLOCKED = '<em class="placeholder">bob</em> is blocked or has not been activated yet.'
SOLR_AWAY = "Solr endpoint http://solr:8983/ unreachable or returned unexpected response code"
SOLR_BROKEN = "Solr endpoint http://solr:8983/ internal Solr server error (code: 500)."
CASES: list[tuple[Answer, type[ServiceError]]] = [
    # 401: a refused token
    (Answer(status=401, challenge=bearer("two dots"), body=DENIED), UpstreamTokenRejectedError),
    (Answer(status=401, challenge=bearer("revoked"), body=PAGE), UpstreamTokenRejectedError),
    (Answer(status=401, challenge=bearer(BLOCKED), body=DENIED), UpstreamTokenRejectedError),
    (Answer(status=401, challenge='Bearer realm="MCP Tools"'), UpstreamTokenRejectedError),
    (Answer(status=401, body=b'{"message":"two dots"}'), UpstreamTokenRejectedError),
    (
        Answer(
            status=401, challenge='Basic realm="Fixture LMS"', body=b'{"message":"No credentials."}'
        ),
        UpstreamTokenRejectedError,
    ),
    # 401: not about the token
    (
        Answer(status=401, challenge=bearer("", error="server_error"), body=DENIED),
        UpstreamUnavailableError,
    ),
    (Answer(status=401, challenge='Basic realm="staging"', body=PAGE), UpstreamUnavailableError),
    (Answer(status=401, body=PAGE), UpstreamUnavailableError),
    # 403
    (Answer(status=403, challenge=SCOPE_CHALLENGE), InsufficientUpstreamScopeError),
    (
        Answer(status=403, body=b'{"message":"The \'p\' permission is required."}'),
        AccessForbiddenError,
    ),
    (Answer(status=403, body=PAGE), UpstreamUnavailableError),
    # outages
    (Answer(status=302, body=PAGE), UpstreamUnavailableError),
    (Answer(status=301, challenge=bearer("revoked")), UpstreamUnavailableError),
    (Answer(status=503, body=MAINTENANCE), UpstreamMaintenanceError),
    (Answer(status=503, body=PAGE), UpstreamUnavailableError),
    (Answer(status=500, body=APOLOGY), UpstreamUnavailableError),
    (rpc_error(-32603, "returned invalid output data: []", status=500), UpstreamUnavailableError),
    (Answer(status=429, retry_after="7", body=b"slow down"), UpstreamRateLimitedError),
    (Answer(status=200, body=PAGE), UpstreamUnavailableError),
    (Answer(status=200, body=b'{"jsonrpc": "2.0", '), UpstreamUnavailableError),
    (Answer(status=200, body=b""), UpstreamUnavailableError),
    (Answer(status=200, body=b"[" * 100_000), UpstreamUnavailableError),
    # routes and methods that are not there
    (Answer(status=404, body=PAGE), UpstreamMisconfiguredError),
    (Answer(status=405, body=PAGE), UpstreamMisconfiguredError),
    (rpc_error(-32601, "The method 'nope' does not exist", status=400), UpstreamMisconfiguredError),
    (rpc_error(-32601, status=404), UpstreamMisconfiguredError),
    # JSON-RPC errors
    (rpc_error(-32600, "Access Denied: The 'p' permission is required."), AccessForbiddenError),
    (rpc_error(-32602, "Access denied to node 4"), AccessForbiddenError),
    (rpc_error(-32602, "Node with ID 999 not found"), ContentNotFoundError),
    (rpc_error(-32602, "Tutorial 99999 not found"), ContentNotFoundError),
    (rpc_error(-32602, "nope"), ArgumentsRejectedError),
    (rpc_error(-32602, "Missing required parameter: query", status=400), ArgumentsRejectedError),
    (rpc_error(-32602, "does not conform … not found", status=400), ArgumentsRejectedError),
    (rpc_error(-32050, {"k": "v"}), ArgumentsRejectedError),
    (rpc_error(-32603, "SQLSTATE[HY000]: General error"), UpstreamUnavailableError),
    (rpc_error(-32603, "strlen(): Argument #1"), UpstreamUnavailableError),
    (rpc_error(-32603, SOLR_AWAY), SearchUnavailableError),
    (rpc_error(-32603, SOLR_BROKEN), SearchUnavailableError),
    (rpc_error(-32603, "long validator dump", status=400), UpstreamAnswerInvalidError),
    # what is no JSON-RPC reply
    (Answer(status=200, body=b"{}"), UpstreamAnswerInvalidError),
    (Answer(status=200, body=b"[]"), UpstreamAnswerInvalidError),
    (Answer(status=400, body=b'{"message":"odd"}'), UpstreamAnswerInvalidError),
    (Answer(status=200, body=b'{"error": {"code": "x"}}'), UpstreamAnswerInvalidError),
    (Answer(status=200, body=b'{"error": "text"}'), UpstreamAnswerInvalidError),
]


@pytest.mark.parametrize(("answer", "kind"), CASES)
def test_every_answer_is_the_failure_that_it_means(
    answer: Answer, kind: type[ServiceError]
) -> None:
    with pytest.raises(ServiceError) as caught:
        result_of(answer)

    assert type(caught.value) is kind


@pytest.mark.parametrize("result", [{"pong": True}, [], "# Text", 0, None, False])
def test_any_result_is_handed_over_whatever_its_id(result: Any) -> None:
    body = {"jsonrpc": "2.0", "id": None, "result": result}

    assert result_of(Answer(status=200, body=json.dumps(body).encode())) == result


def test_the_missing_scopes_are_told() -> None:
    with pytest.raises(InsufficientUpstreamScopeError) as caught:
        result_of(Answer(status=403, challenge='Bearer error="insufficient_scope", scope="a:b c"'))

    assert caught.value.scopes == ("a:b", "c")


def test_no_detail_of_the_site_is_in_the_failure() -> None:
    with pytest.raises(ServiceError) as caught:
        result_of(rpc_error(-32603, "SQLSTATE secret /var/www/html"))

    assert "SQLSTATE" not in f"{caught.value!r} {caught.value.facts}"
    assert caught.value.facts["rpc_code"] == -32603
