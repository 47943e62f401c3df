"""The keys that a client names in its registration or document: by value, or where they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.domain.client_documents import AuthMethod
from shared.domain.document_ids import parse_document_id
from shared.vault.client_assertions import UnusableKeysError, read_keys

MEMBERS: Final = ("jwks", "jwks_uri")
"""Of RFC 7591 section 2; only one may be there, and the value itself counts where both are."""


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """At most one of the two."""

    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None

    def echo(self) -> dict[str, Any]:
        """What a registration is answered: nothing where there are no keys."""
        if not self:
            return {}
        given = {"jwks": self.jwks, "jwks_uri": self.jwks_uri}
        members = {name: value for name, value in given.items() if value is not None}
        return {"token_endpoint_auth_method": AuthMethod.PRIVATE_KEY_JWT.value, **members}

    def __bool__(self) -> bool:
        return self.jwks is not None or self.jwks_uri is not None


def read_published_keys(members: Mapping[str, Any], *, local: bool) -> PublishedKeys:
    """The keys of a client; their address follows the rules for documents.

    Raises:
        UnusableKeysError: the keys themselves are there and not usable.
    """
    jwks = members.get("jwks")
    if jwks is not None:
        if not isinstance(jwks, dict):
            raise UnusableKeysError("must be an object")
        read_keys(jwks)
        return PublishedKeys(jwks=jwks)
    address = members.get("jwks_uri")
    if not isinstance(address, str) or parse_document_id(address, local=local) is None:
        return PublishedKeys()
    return PublishedKeys(jwks_uri=address)
