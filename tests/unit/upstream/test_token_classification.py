"""Token endpoint answers in the shapes recorded from simple_oauth 5.2.2 and 6.0.9."""

import json

import pytest

from shared.errors.base import ServiceError
from shared.upstream.answers import Answer
from shared.upstream.classification import TokenRequest, revoke_failure, token_failure
from shared.upstream.failures import (
    CodeRejectedError,
    RefreshRejectedError,
    UpstreamAnswerInvalidError,
    UpstreamMaintenanceError,
    UpstreamMisconfiguredError,
    UpstreamRateLimitedError,
    UpstreamUnavailableError,
)

BAD_REFRESH = "The refresh token is invalid."
BAD_REQUEST = "The request is missing a required parameter, includes an invalid parameter value."
BAD_GRANT = "The provided authorization grant or refresh token is invalid, expired, revoked."
PAGE = b"<!DOCTYPE html><html><title>Oops</title></html>"
MAINTENANCE_PAGE = b"<html><title>Site under maintenance | Fixture LMS</title></html>"
MAINTENANCE_TEXT = b"Fixture LMS is currently under maintenance. We should be back shortly."


def refused(status: int, error: str, *, hint: str | None = None, says: str = "") -> Answer:
    members = {"error": error, "error_description": says}
    if hint is not None:
        members["hint"] = hint
    return Answer(status=status, body=json.dumps(members).encode())


REFRESH_REFUSALS = [
    refused(400, "invalid_grant", hint="Token has been revoked", says=BAD_REFRESH),
    refused(400, "invalid_grant", hint="Token has expired", says=BAD_REFRESH),
    refused(400, "invalid_grant", hint="Cannot decrypt the refresh token", says=BAD_REFRESH),
    refused(400, "invalid_grant", hint="Token is not linked to client", says=BAD_REFRESH),
    refused(400, "invalid_grant"),
    refused(401, "invalid_request", hint="Token has been revoked", says=BAD_REFRESH),
    refused(401, "invalid_request", hint="Token has expired", says=BAD_REFRESH),
    refused(401, "invalid_request", hint="Cannot decrypt the refresh token", says=BAD_REFRESH),
    refused(401, "invalid_request", hint="Token is not linked to client", says=BAD_REFRESH),
    refused(401, "invalid_request", says=BAD_REFRESH),
]


@pytest.mark.parametrize("answer", REFRESH_REFUSALS)
def test_a_refused_refresh_token_is_recognised_in_both_dialects(answer: Answer) -> None:
    assert type(token_failure(TokenRequest.REFRESH, answer)) is RefreshRejectedError


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "invalid_grant", hint="Authorization code has been revoked", says=BAD_GRANT),
        refused(400, "invalid_grant", hint="Authorization code has expired", says=BAD_GRANT),
        refused(400, "invalid_grant", hint="Cannot validate the provided authorization code"),
        refused(400, "invalid_grant", hint="Failed to verify `code_verifier`.", says=BAD_GRANT),
        refused(400, "invalid_request", hint="Authorization code has been revoked"),
        refused(400, "invalid_request", hint="Authorization code has expired"),
        refused(400, "invalid_request", hint="Cannot decrypt the authorization code"),
        refused(400, "invalid_request", hint="Authorization code was not issued to this client"),
        refused(
            400,
            "invalid_request",
            hint="Code Verifier must follow the specifications of RFC-7636.",
        ),
    ],
)
def test_a_refused_code_is_recognised_in_both_dialects(answer: Answer) -> None:
    assert type(token_failure(TokenRequest.CODE, answer)) is CodeRejectedError


@pytest.mark.parametrize(
    "answer",
    [
        refused(401, "invalid_client", says="Client authentication failed"),
        refused(400, "invalid_request", hint="Check the `client_id` parameter", says=BAD_REQUEST),
        refused(400, "invalid_request", hint="Check the `client_secret` parameter"),
        refused(400, "invalid_request", hint="Check the `refresh_token` parameter"),
        refused(400, "invalid_request", hint="Check the `redirect_uri` parameter"),
        refused(400, "invalid_request", hint="Invalid redirect URI"),
        refused(400, "unsupported_grant_type", hint="Check that all required parameters"),
        refused(400, "unauthorized_client"),
        refused(400, "invalid_scope", hint="Check the `member` scope"),
        # How 5.x says that the refresh grant is switched off: nobody's token is bad for that.
        refused(
            400,
            "invalid_grant",
            hint="Check the configuration to see if the grant is enabled.",
            says=BAD_GRANT,
        ),
    ],
)
@pytest.mark.parametrize("request_kind", list(TokenRequest))
def test_what_is_wrong_with_our_client_is_never_blamed_on_a_person(
    answer: Answer, request_kind: TokenRequest
) -> None:
    assert type(token_failure(request_kind, answer)) is UpstreamMisconfiguredError


@pytest.mark.parametrize(
    ("answer", "kind", "sent"),
    [
        (Answer(status=302, body=PAGE), UpstreamUnavailableError, True),
        (Answer(status=200, body=PAGE), UpstreamUnavailableError, True),
        (Answer(status=200, body=b""), UpstreamUnavailableError, True),
        (Answer(status=200, body=b'{"access_token": "x"'), UpstreamUnavailableError, True),
        (Answer(status=200, body=b"[]"), UpstreamUnavailableError, True),
        (Answer(status=400, body=PAGE), UpstreamUnavailableError, True),
        (Answer(status=401, body=PAGE), UpstreamUnavailableError, True),
        (Answer(status=403, body=PAGE), UpstreamUnavailableError, True),
        (Answer(status=405, body=PAGE), UpstreamUnavailableError, True),
        (Answer(status=500, body=PAGE), UpstreamUnavailableError, True),
        (Answer(status=502, body=b""), UpstreamUnavailableError, True),
        (Answer(status=503, body=PAGE), UpstreamUnavailableError, True),
        (refused(500, "server_error"), UpstreamUnavailableError, True),
        (refused(400, "server_error"), UpstreamUnavailableError, True),
        (refused(400, "temporarily_unavailable"), UpstreamUnavailableError, True),
        (refused(503, "invalid_grant", says=BAD_REFRESH), UpstreamUnavailableError, True),
        (refused(401, "access_denied", hint="Could not acquire lock."), None, False),
        (Answer(status=503, body=MAINTENANCE_PAGE), UpstreamMaintenanceError, False),
        (Answer(status=503, body=MAINTENANCE_TEXT), UpstreamMaintenanceError, False),
        (Answer(status=429, retry_after="7", body=PAGE), UpstreamRateLimitedError, False),
        (refused(400, "something_new"), UpstreamAnswerInvalidError, True),
        (Answer(status=201, body=b'{"access_token": "x"}'), UpstreamAnswerInvalidError, True),
    ],
)
@pytest.mark.parametrize("request_kind", list(TokenRequest))
def test_an_outage_is_an_outage_whatever_its_status(
    answer: Answer,
    kind: type[ServiceError] | None,
    sent: bool,  # noqa: FBT001 - a column of the table
    request_kind: TokenRequest,
) -> None:
    failure = token_failure(request_kind, answer)

    assert isinstance(failure, UpstreamUnavailableError)
    assert type(failure) is (kind or UpstreamUnavailableError)
    assert failure.sent is sent


def test_a_retry_time_of_the_site_is_passed_on() -> None:
    failure = token_failure(TokenRequest.REFRESH, Answer(status=429, retry_after="7", body=PAGE))

    assert failure is not None
    assert failure.retry_after_seconds == 7


def test_a_success_is_no_failure() -> None:
    answer = Answer(status=200, body=b'{"access_token": "a.b.c", "expires_in": 300}')

    assert token_failure(TokenRequest.REFRESH, answer) is None


def test_no_word_of_the_answer_is_in_the_failure() -> None:
    answer = refused(400, "invalid_grant", hint="SECRET-HINT", says="SECRET-TEXT")

    failure = token_failure(TokenRequest.REFRESH, answer)

    assert "SECRET" not in f"{failure!r} {failure} {failure.facts if failure else ''} {answer!r}"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(status=200), None),
        # Sites without simple_oauth_21 have no such endpoint; asking again changes nothing.
        (Answer(status=404, body=PAGE), None),
        (refused(401, "invalid_client"), UpstreamMisconfiguredError),
        (refused(400, "invalid_request"), UpstreamMisconfiguredError),
        (Answer(status=403, body=PAGE), UpstreamUnavailableError),
        (Answer(status=503, body=MAINTENANCE_PAGE), UpstreamMaintenanceError),
        (Answer(status=302), UpstreamUnavailableError),
    ],
)
def test_revocation_answers(answer: Answer, kind: type[ServiceError] | None) -> None:
    assert type(revoke_failure(answer)) is (kind or type(None))
