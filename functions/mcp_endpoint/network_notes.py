"""Notes from which networks a session is used, after the answer, and not what is noted already.

Never keeps an address, never fails a call, and never waits long.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from functions.mcp_endpoint.answers import Scope, header_values
from shared.domain.caller_addresses import (
    ADDRESS_HEADER,
    SECRET_HEADER,
    ToldAddresses,
    own_network,
)
from shared.domain.identifiers import SessionId
from shared.domain.rate_limits import IPAddress
from shared.errors.base import ServiceError
from shared.observability.logging import log
from shared.state import session_networks
from shared.state.database import Database

NOTES_MAX: Final = 1_000
NOTE_SECONDS: Final = 3_600.0
"""For so long the same network of a session needs no other note."""
WAIT_SECONDS_MAX: Final = 0.5

_Key = tuple[SessionId, str]


class NetworkNotes:
    """The notes of one environment; what it has noted lately costs no statement."""

    def __init__(
        self,
        database: Database,
        addresses: ToldAddresses,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._addresses = addresses
        self._monotonic = monotonic
        self._noted: OrderedDict[_Key, float] = OrderedDict()

    async def note(self, scope: Scope, session_id: SessionId) -> None:
        """A request with this session came as ``scope`` tells."""
        network = own_network(self._address_of(scope))
        if network is None or self._is_noted(session_id, network):
            return
        try:
            async with (
                asyncio.timeout(WAIT_SECONDS_MAX),
                self._database.autocommit(timeout_seconds=WAIT_SECONDS_MAX) as tx,
            ):
                await session_networks.note(tx, session_id, network)
        except (ServiceError, TimeoutError) as error:
            log.info("network of a session not noted", error_type=type(error).__name__)
            return
        self._noted[session_id, network] = self._monotonic()
        while len(self._noted) > NOTES_MAX:
            self._noted.popitem(last=False)

    def clear(self) -> None:
        """Take nothing for noted."""
        self._noted.clear()

    def _is_noted(self, session_id: SessionId, network: str) -> bool:
        noted_at = self._noted.get((session_id, network))
        return noted_at is not None and self._monotonic() - noted_at < NOTE_SECONDS

    def _address_of(self, scope: Scope) -> IPAddress | None:
        client = scope.get("client")
        return self._addresses.judge(
            told=header_values(scope, ADDRESS_HEADER.encode()),
            secrets=header_values(scope, SECRET_HEADER.encode()),
            connection=str(client[0]) if client else None,
        )
