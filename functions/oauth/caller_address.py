"""The address from which a request comes, for the limits that count by it."""

from starlette.requests import Request

from shared.domain.caller_addresses import ADDRESS_HEADER, SECRET_HEADER, ToldAddresses
from shared.domain.rate_limits import IPAddress


class CallerAddresses(ToldAddresses):
    """Tells callers' addresses."""

    def of(self, request: Request) -> IPAddress | None:
        """The caller's address, or the connection's own; None if neither is an address."""
        return self.judge(
            told=request.headers.getlist(ADDRESS_HEADER),
            secrets=request.headers.getlist(SECRET_HEADER),
            connection=request.client.host if request.client else None,
        )
