"""The doors of versions that have no traffic yet: each question is an invocation of one version."""

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from shared.aws_service import AwsService, CallLimits
from shared.checks.doors import Answered, Door, NoAnswerError, Question
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.lambda_stream.http_answers import read_http_answer

INVOKE_LIMITS: Final = CallLimits(
    connect_timeout_seconds=2.0, read_timeout_seconds=20.0, deadline_seconds=25.0
)
"""A first invocation after publishing restores a snapshot and connects to everything."""
CALLER: Final = "192.0.2.1"
"""An address that nobody has (RFC 5737): limits for it concern nobody."""
USER_AGENT: Final = "drupalize-mcp-release-check"


class VersionNotInvokedError(UnavailableError):
    """The platform did not take or not end the invocation."""

    code = ErrorCode.INTERNAL_ERROR


class InvokedDoors:
    """Carries questions to exact versions, in the shape in which Function URLs send them."""

    def __init__(self, *, versions: Mapping[Door, str], hosts: Mapping[Door, str]) -> None:
        self._versions = versions
        self._hosts = hosts
        self._service = AwsService("lambda", limits=INVOKE_LIMITS, error=VersionNotInvokedError)

    async def ask(self, question: Question) -> Answered:
        """Invoke the door's version.

        Raises:
            NoAnswerError: it raised, did not end in time, or answered no HTTP.
        """
        event = json.dumps(function_url_event(question, host=self._hosts[question.door]))
        version = self._versions[question.door]

        def invoke(client: Any) -> tuple[bool, bytes]:
            answer = client.invoke(FunctionName=version, Payload=event.encode())
            return "FunctionError" in answer, answer["Payload"].read()

        try:
            failed, raw = await self._service.call(invoke)
            if failed:
                raise NoAnswerError("the function raised")
            answer = read_http_answer(raw)
        except (UnavailableError, ValueError) as error:
            raise NoAnswerError(type(error).__name__) from None
        return Answered(answer.status, answer.headers, answer.body)

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._service.forget_client()


def function_url_event(question: Question, *, host: str) -> dict[str, Any]:
    """The event of a Function URL (payload format 2.0) for ``question``."""
    parts = urlsplit(question.path)
    http = {
        "method": question.method,
        "path": parts.path,
        "protocol": "HTTP/1.1",
        "sourceIp": CALLER,
        "userAgent": USER_AGENT,
    }
    headers = {"host": host, "x-forwarded-proto": "https", "x-forwarded-port": "443"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": {**headers, "user-agent": USER_AGENT, **question.headers},
        "requestContext": {"domainName": host, "http": http, "requestId": str(uuid.uuid4())},
        "body": question.body,
        "isBase64Encoded": False,
    }
