"""Sealed tokens that did not open, put into the audit trail. Never sees what was sealed.

A row that is refused is refused again with every call: each process records it once in a while.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

from shared.domain.identifiers import GrantId, UserId
from shared.errors.base import UnavailableError
from shared.observability.logging import log
from shared.state import audit_events
from shared.state.audit_events import AuditAction
from shared.state.database import Database

RECORD_AGAIN_SECONDS: Final = 3_600.0
REMEMBERED_MAX: Final = 1_000

_Refusal = tuple[str, UUID, str, int, str]


class RefusedPlace(Protocol):
    """The place that a sealed token was opened for."""

    @property
    def table(self) -> str:
        """The table."""

    @property
    def row_id(self) -> UUID:
        """The row's id."""

    @property
    def user_id(self) -> UUID:
        """The person's id."""

    @property
    def column(self) -> str:
        """The column."""

    @property
    def generation(self) -> int:
        """The pair generation."""


class AuditedRefusals:
    """Appends ``seal:refused``, in a transaction of its own: nothing else has happened."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._recorded: OrderedDict[_Refusal, float] = OrderedDict()

    async def record(self, place: RefusedPlace, reason: str) -> None:
        """Put one refusal on record; a database that is away leaves it to the log."""
        log.error("sealed token refused", reason=reason, table=place.table, row=str(place.row_id))
        refusal = (place.table, place.row_id, place.column, place.generation, reason)
        if not self._is_news(refusal):
            return
        try:
            async with self._database.autocommit() as tx:
                await audit_events.append(
                    tx,
                    AuditAction.SEAL_REFUSED,
                    user_id=UserId(place.user_id),
                    grant_id=GrantId(place.row_id) if place.table == "grants" else None,
                    details={
                        "reason": reason,
                        "table": place.table,
                        "column": place.column,
                        "pair_generation": place.generation,
                    },
                )
        except UnavailableError as error:
            self._recorded.pop(refusal, None)
            log.error("refusal of a sealed token not recorded", error=error)

    def _is_news(self, refusal: _Refusal) -> bool:
        now = self._monotonic()
        before = self._recorded.get(refusal)
        if before is not None and now < before + RECORD_AGAIN_SECONDS:
            return False
        self._recorded[refusal] = now
        self._recorded.move_to_end(refusal)
        while len(self._recorded) > REMEMBERED_MAX:
            self._recorded.popitem(last=False)
        return True
