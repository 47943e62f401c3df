"""Callers that this environment has verified lately: they go on reading while Postgres is away.

Never lets in anybody that Postgres has not let in itself within the last minute, never for more
than reading, and never somebody whose end this environment has heard of.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from shared.domain.tokens import TokenHash
from shared.errors.base import UnavailableError
from shared.observability import recovery
from shared.observability.logging import log
from shared.observability.request_context import Ending
from shared.state.calls import Admission, CallRecord

VERIFIED_SECONDS_MAX: Final = 60.0
"""For so long a verification stands in; a session that was ended meanwhile reads on until then."""
VERIFIED_MAX: Final = 200
CALLS_IN_OUTAGE_MAX: Final = 12
"""Calls on one verification: nobody counts a person's rate while Postgres is away."""

Find = Callable[[TokenHash, Admission | None], Awaitable[CallRecord | None]]
Moment = tuple[float, float]


def _moment() -> Moment:
    return time.monotonic(), time.time()


@dataclass(slots=True)
class _Verified:
    record: CallRecord
    seen: Moment
    calls_left: int = CALLS_IN_OUTAGE_MAX


class VerifiedCalls:
    """A look-up of bearers that remembers the last ones it found sound."""

    def __init__(self, find: Find, *, moment: Callable[[], Moment] = _moment) -> None:
        self._find = find
        self._moment = moment
        self._verified: OrderedDict[TokenHash, _Verified] = OrderedDict()

    async def find(self, token_hash: TokenHash, admission: Admission | None) -> CallRecord | None:
        """What Postgres knows of a bearer; while it is away, what it knew within the minute.

        Raises:
            UnavailableError: Postgres is away, and this bearer was not verified here lately.
        """
        try:
            record = await self._find(token_hash, admission)
        except UnavailableError:
            remembered = self._recalled(token_hash)
            if remembered is None:
                raise
            recovery.recovered("postgres", Ending.FALLBACK)
            log.warning("a caller verified before reads on while Postgres is away")
            return remembered
        self._remember(token_hash, record)
        return record

    def forget(self) -> None:
        """Know nobody any more."""
        self._verified.clear()

    def _remember(self, token_hash: TokenHash, record: CallRecord | None) -> None:
        self._verified.pop(token_hash, None)
        if record is None or record.call is None or _is_over(record):
            return
        sound = replace(record, refusal=None, wait_seconds=None, remembered=True)
        self._verified[token_hash] = _Verified(sound, self._moment())
        while len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)

    def _recalled(self, token_hash: TokenHash) -> CallRecord | None:
        """The record as of now: time goes on without the database's clock."""
        found = self._verified.get(token_hash)
        if found is None:
            return None
        now = self._moment()
        # The clock that has gone on further: a freeze may have stopped one, a step set one back.
        age_seconds = max(now[0] - found.seen[0], now[1] - found.seen[1])
        if age_seconds > VERIFIED_SECONDS_MAX or found.calls_left <= 0:
            del self._verified[token_hash]
            return None
        found.calls_left -= 1
        record = found.record
        present = record.now + timedelta(seconds=max(0.0, age_seconds))
        call = None if record.call is None else replace(record.call, now=present)
        return replace(record, now=present, call=call)


def _is_over(record: CallRecord) -> bool:
    return record.session_ended or record.grant_ended or record.token_expired
