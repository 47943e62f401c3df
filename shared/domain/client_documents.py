"""What a client's document says, how long it is good for, and what stands in when it is away."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from shared.domain.known_clients import known_document

FRESH_SECONDS_MIN: Final = 300
FRESH_SECONDS_MAX: Final = 86_400
FRESH_SECONDS_UNSAID: Final = 3_600
"""For documents whose host says nothing about caching."""
RETRY_SECONDS: Final = 60
"""After a failure, when there is nothing to use instead."""
RETRY_SECONDS_COVERED: Final = 300
"""After a failure, when there is: then nobody waits for the next try."""
LAST_GOOD_SECONDS_MAX: Final = 30 * 86_400
"""How long a document may be used after it was fetched, while it cannot be fetched again."""
HOST_FETCHES_PER_MINUTE_MAX: Final = 30


class AuthMethod(StrEnum):
    """How a client of a document may prove itself: never by a secret, for nobody shares one."""

    NONE = "none"
    PRIVATE_KEY_JWT = "private_key_jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentContent:
    """The members of a document that mean something here, validated."""

    client_name: str
    redirect_uris: tuple[str, ...]
    client_uri: str | None = None
    auth_methods: tuple[AuthMethod, ...] = (AuthMethod.NONE,)
    keys: Mapping[str, Any] | None = None
    """The member ``jwks`` (RFC 7591 section 2)."""
    jwks_uri: str | None = None
    """Where the keys are, if they are not in the document."""

    @property
    def must_authenticate(self) -> bool:
        """Whether the client leaves no other way than to prove itself."""
        return AuthMethod.NONE not in self.auth_methods

    def as_client(self, client_id: str) -> Client:
        """The client that this describes."""
        return Client(
            client_id=ClientId(client_id),
            kind=RegistrationKind.DOCUMENT,
            client_name=self.client_name,
            redirect_uris=self.redirect_uris,
            client_uri=self.client_uri,
            keys=self.keys,
            jwks_uri=self.jwks_uri if self.keys is None else None,
            must_authenticate=self.must_authenticate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """What the cache holds for one client id."""

    content: DocumentContent | None
    age_seconds: float
    """Since the content was fetched; infinite where there is none."""
    is_fresh: bool
    fault: str | None
    """Why the last fetch failed, while it is too early for the next."""
    has_client: bool
    """Whether the client's own row is there; an unused one is removed after a day."""

    @property
    def last_good(self) -> DocumentContent | None:
        """The content, while it may still be used without its host's word."""
        return self.content if self.age_seconds <= LAST_GOOD_SECONDS_MAX else None


def fresh_seconds(max_age_seconds: int | None) -> int:
    """For how long a document is used without asking again, between floor and ceiling."""
    asked = FRESH_SECONDS_UNSAID if max_age_seconds is None else max_age_seconds
    return min(max(asked, FRESH_SECONDS_MIN), FRESH_SECONDS_MAX)


def pinned_document(client_id: str) -> DocumentContent | None:
    """What ``client_id`` says of itself as far as it was looked up by hand: for when it is away."""
    document = known_document(client_id)
    if document is None:
        return None
    known, redirect_uris = document
    return DocumentContent(
        client_name=known.registered_names[0],
        redirect_uris=redirect_uris,
        auth_methods=tuple(AuthMethod) if known.jwks_uri else (AuthMethod.NONE,),
        jwks_uri=known.jwks_uri,
    )


def has_drifted(client_id: str, fetched: DocumentContent) -> bool:
    """Whether a well-known client's document names other redirect URIs than its pin."""
    pinned = pinned_document(client_id)
    return pinned is not None and set(pinned.redirect_uris) != set(fetched.redirect_uris)
