"""Requests to the site with a person's own account, in the time that is left of theirs.

Never keeps a token longer than one request.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from shared.circuit.retries import Retries
from shared.circuit.retry_budget import Access
from shared.domain.grants import AuthenticatedCall

T = TypeVar("T")


class Caller(Protocol):
    """Runs one request to the site with the person's access token, renewed when needed."""

    async def run(self, call: AuthenticatedCall, request: Callable[[str], Awaitable[T]]) -> T:
        """Run ``request`` with an access token of the site."""
        ...


class SiteRequests:
    """The way to the site; every request waits ``timeout_seconds`` at most."""

    def __init__(
        self,
        caller: Caller,
        *,
        remaining_seconds: Callable[[], float],
        timeout_seconds: float,
    ) -> None:
        self._retries = Retries()
        self._caller = caller
        self._remaining_seconds = remaining_seconds
        self._timeout_seconds = timeout_seconds

    async def run(
        self,
        call: AuthenticatedCall,
        request: Callable[[str, float], Awaitable[T]],
        *,
        access: Access = Access.WRITE,
    ) -> T:
        """What ``request`` gives; it is called with an access token and the seconds it may take.

        Once for each access token, of which there are two at most, and a read once more where the
        site had a bad moment. Each time with what the time before has left.
        """

        async def timed(access_token: str) -> T:
            async def attempt() -> T:
                seconds = max(0.0, min(self._timeout_seconds, self._remaining_seconds()))
                return await request(access_token, seconds)

            return await self._retries.run(attempt, access=access)

        return await self._caller.run(call, timed)
