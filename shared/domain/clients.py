"""A registered MCP client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.domain import redirects
from shared.domain.identifiers import ClientId

SIGNING_ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
"""What a client may prove itself with: asymmetric ones only, for nobody here has its secret."""


class RegistrationKind(StrEnum):
    """How a client became known."""

    DYNAMIC = "dynamic"
    PREREGISTERED = "preregistered"
    DOCUMENT = "document"
    """Its id is the address of a document that describes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One registered client. None has a secret: it is public, or proves itself with its own key."""

    client_id: ClientId
    kind: RegistrationKind
    client_name: str
    redirect_uris: tuple[str, ...]
    client_uri: str | None = None
    keys: Mapping[str, Any] | None = None
    """Its public keys, a JWK Set (RFC 7517 section 5)."""
    jwks_uri: str | None = None
    """Where it publishes its keys, if it does not hand them over itself."""
    must_authenticate: bool = False
    """Whether it must prove itself with one of its keys (RFC 7523), or merely may."""

    blocked: bool = field(default=False, compare=False)
    """Whether an operator has blocked it (``scripts/contain``): no matter of what it is."""

    def may_redirect_to(self, uri: str) -> bool:
        """Whether ``uri`` is one of this client's redirect URIs."""
        return redirects.is_registered(uri, self.redirect_uris)
