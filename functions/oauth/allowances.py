"""Takes from rate limits, for endpoints before they work and for flows over live codes and tokens.

A limit that cannot be asked limits nobody: the request itself says what is away.
"""

import math
from typing import Final

from starlette.requests import Request

from functions.oauth.dependencies import Dependencies
from functions.oauth.refusals import TooManyRequestsError
from shared.domain.rate_limits import RATE_LIMITS, LimitName, RateLimit, limit_at, network_of
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import rate_limits
from shared.state.database import Database, DatabaseUnavailableError, Transaction

CHECK_SECONDS_MAX: Final = 1.0
"""A limit that has not answered by then counts as not reached."""


async def take(tx: Transaction, name: LimitName, subject: str) -> None:
    """Take one for ``subject`` within ``tx``, which is rolled back where nothing is left.

    Raises:
        TooManyRequestsError: nothing is left of the allowance.
        DatabaseUnavailableError: try the whole transaction again later.
    """
    limit = RATE_LIMITS[name]
    _refuse_if(await rate_limits.take(tx, limit, subject), limit)


async def take_apart(database: Database, limit: RateLimit, subject: str) -> None:
    """Take one for ``subject``, whatever becomes of the request; at most ``CHECK_SECONDS_MAX``.

    Raises:
        TooManyRequestsError: nothing is left of the allowance.
    """
    try:
        async with database.autocommit(timeout_seconds=CHECK_SECONDS_MAX) as tx:
            wait_seconds = await rate_limits.take(tx, limit, subject)
    except DatabaseUnavailableError as error:
        log.warning("rate limit not asked", rule=limit.name.value, error_code=error.code.value)
        return
    _refuse_if(wait_seconds, limit)


async def admit(dependencies: Dependencies, request: Request, name: LimitName) -> None:
    """Let an anonymous request in, if its address has not had too many of them.

    Raises:
        TooManyRequestsError: it has.
    """
    address = dependencies.caller_addresses.of(request)
    await take_apart(dependencies.database, limit_at(name, address), network_of(address))


def _refuse_if(wait_seconds: float, limit: RateLimit) -> None:
    if wait_seconds <= 0:
        return
    metrics.count(MetricName.RATE_LIMIT_REFUSALS, rule=limit.name.value)
    raise TooManyRequestsError(
        {"rule": limit.name.value}, retry_after_seconds=math.ceil(wait_seconds)
    )
