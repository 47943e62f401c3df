"""A registered MCP client."""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain import redirects
from shared.domain.identifiers import ClientId


class RegistrationKind(StrEnum):
    """How a client became known."""

    DYNAMIC = "dynamic"
    PREREGISTERED = "preregistered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One registered client; all are public clients (``token_endpoint_auth_method`` none)."""

    client_id: ClientId
    kind: RegistrationKind
    client_name: str
    redirect_uris: tuple[str, ...]
    client_uri: str | None = None

    def may_redirect_to(self, uri: str) -> bool:
        """Whether ``uri`` is one of this client's redirect URIs."""
        return redirects.is_registered(uri, self.redirect_uris)
