"""The answer while the function itself cannot be put together, because its settings are away.

Clients throw their tokens away on an answer that is not OAuth's JSON; this one is.
"""

import json
from typing import Any

from shared.discovery.security_headers import security_headers
from shared.errors.base import ServiceError
from shared.errors.translation import as_oauth_error
from shared.observability import recovery
from shared.observability.debug_answers import debug_of
from shared.observability.logging import log
from shared.observability.request_context import correlation_id


def unanswerable(error: ServiceError, *, https: bool) -> dict[str, Any]:
    """A Function URL answer (payload format 2.0) that says to try again."""
    log.error("function not composed", error_code=error.code.value, facts=error.facts)
    recovery.surfaced()
    body = {**as_oauth_error(error, correlation_id=correlation_id()), **debug_of(error)}
    return {
        "statusCode": error.entry.http_status,
        "headers": {
            **security_headers(https=https),
            "content-type": "application/json",
            "x-correlation-id": correlation_id(),
            "access-control-allow-origin": "*",
            "retry-after": str(error.retry_after_seconds or 1),
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
