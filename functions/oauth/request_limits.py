"""Counts refused requests by address and client; once an allowance is used up, refusals say 429.

Looks at the answer, never at the request: a live code or token is served wherever it comes from,
because all users of a hosted client share its addresses and its id.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.oauth.allowances import take_apart
from functions.oauth.dependencies import Dependencies
from functions.oauth.envelope import OPERATIONS, error_answer
from functions.oauth.parameters import claimed_client
from functions.oauth.refusals import TooManyRequestsError
from shared.domain.rate_limits import RATE_LIMITS, LimitName, limit_at, network_of

TOO_MANY_REQUESTS = 429


class RefusalLimits:
    """ASGI middleware inside of the envelope."""

    def __init__(self, app: ASGIApp, *, dependencies: Dependencies) -> None:
        self._app = app
        self._dependencies = dependencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, and count it if it is refused."""
        if scope["type"] != "http" or scope["path"] not in OPERATIONS:
            await self._app(scope, receive, send)
            return
        replaced = False

        async def sender(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_refusal(message["status"]):
                request = Request(scope)
                try:
                    await self._count(request)
                except TooManyRequestsError as error:
                    replaced = True
                    answer = error_answer(request, error, dependencies=self._dependencies)
                    await answer(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, receive, sender)

    async def _count(self, request: Request) -> None:
        """Count a refusal.

        By address first: an address without allowance takes nothing from a client's, so that a
        single one cannot use it up for all of the client's users.

        Raises:
            TooManyRequestsError: there were too many.
        """
        database = self._dependencies.database
        address = self._dependencies.caller_addresses.of(request)
        await take_apart(
            database, limit_at(LimitName.REFUSED_BY_ADDRESS, address), network_of(address)
        )
        client_id = claimed_client(request)
        if client_id is not None:
            await take_apart(database, RATE_LIMITS[LimitName.REFUSED_BY_CLIENT], client_id)


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status != TOO_MANY_REQUESTS
