"""The streaming client of the Lambda Runtime API: awslambdaric's, with the answer's end changed.

Everything a handler does not stream goes through awslambdaric untouched; it must not change when
or how hooks, contexts and errors are handled there.
"""

import base64
import json
import sys
from typing import Any

from awslambdaric.lambda_runtime_client import (  # type: ignore[import-untyped] # ships no types
    LambdaRuntimeClient,
)

from shared.lambda_stream import event_loop, invocation
from shared.lambda_stream.response_stream import InvocationAddress, RuntimeApiError
from shared.observability.logging import log

ERROR_TRAILER_BYTES_MAX = 32_000
"""A longer error is cut to its type and message: servers bound the size of trailers."""


class StreamingRuntimeClient(LambdaRuntimeClient):  # type: ignore[misc] # awslambdaric has no types
    """Lets a handler stream its own answer, and leaves out the second answer that would follow."""

    def wait_next_invocation(self) -> Any:
        """Wait for the next invocation and make it the current one."""
        request = super().wait_next_invocation()
        invocation.begin(
            InvocationAddress(
                runtime_api=self.lambda_runtime_address,
                request_id=request.invoke_id,
                invocation_id=request.invocation_id,
            )
        )
        return request

    def post_invocation_result(
        self,
        invoke_id: str,
        result_data: Any,
        content_type: str = "application/json",
        invocation_id: str | None = None,
    ) -> None:
        """Post a handler's return value, unless it has streamed its answer."""
        running = invocation.find(invoke_id)
        if running is None or not running.stream.begun:
            super().post_invocation_result(invoke_id, result_data, content_type, invocation_id)
        elif not running.stream.closed:
            event_loop.run(running.stream.finish())

    def post_invocation_error(
        self,
        invoke_id: str,
        error_response_data: str,
        xray_fault: str,
        invocation_id: str | None = None,
    ) -> None:
        """Report a handler's exception: as an error, or in the trailers of a begun answer."""
        running = invocation.find(invoke_id)
        if running is None or not running.stream.begun:
            super().post_invocation_error(invoke_id, error_response_data, xray_fault, invocation_id)
        elif not running.stream.closed:
            _end_with_error(running, error_response_data)
        if running is not None and running.environment_is_broken:
            # The platform starts a fresh environment for the next invocation.
            sys.exit(1)


def _end_with_error(running: invocation.Invocation, error_response_data: str) -> None:
    error = json.loads(error_response_data)
    body = error_response_data.encode()
    if len(body) > ERROR_TRAILER_BYTES_MAX:
        body = json.dumps({"errorType": error["errorType"], "errorMessage": ""}).encode()
    encoded = base64.b64encode(body).decode("ascii")
    try:
        event_loop.run(running.stream.fail(error["errorType"], encoded))
    except (RuntimeApiError, TimeoutError):
        log.warning("the end of a failed answer was not accepted")
