"""What the authorization server needs from outside, as its composition root plugs it in.

Nothing here reads the environment or opens a connection.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from functions.oauth.caller_address import CallerAddresses
from functions.oauth.flows.client_keys import ClientKeys
from functions.oauth.flows.document_client import DocumentClients
from functions.oauth.pages.render import Pages
from shared.domain.clients import Client
from shared.domain.grants import SealedPair, UpstreamPair
from shared.domain.health import HealthReport
from shared.domain.identifiers import ClientId
from shared.state.database import Database
from shared.vault.token_vault import SealBinding


class PairVault(Protocol):
    """Seals Drupal's tokens."""

    async def prepare(self) -> int:
        """Have the newest key at hand; called before there is anything to lose."""

    async def seal(self, plain: bytes, *, user_salt: bytes, binding: SealBinding) -> SealedPair:
        """Encrypt ``plain`` so that only this row of this person opens it."""


class UpstreamOAuth(Protocol):
    """Drupal's OAuth server."""

    def authorization_url(self, *, state: str, code_verifier: str) -> str:
        """Where to send the person."""

    async def redeem_code(
        self, code: str, *, code_verifier: str, timeout_seconds: float
    ) -> UpstreamPair:
        """Exchange Drupal's code."""

    async def burn(self, pair: UpstreamPair, *, timeout_seconds: float) -> None:
        """Make a pair useless that nobody will hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """Lives of what is issued, in seconds."""

    access_seconds: int
    refresh_sliding_seconds: int
    refresh_absolute_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Everything that endpoints and flows work with."""

    issuer: str
    mcp_url: str
    scopes_offered: tuple[str, ...]
    site: str
    database: Database
    readiness: Callable[[], Awaitable[HealthReport]]
    vault: PairVault
    upstream: UpstreamOAuth
    pages: Pages
    lifetimes: Lifetimes
    preregistered: Mapping[ClientId, Client]
    """Clients that the operators entered in the settings."""
    document_clients: DocumentClients
    """Clients that a document of their own describes."""
    client_keys: ClientKeys
    """Keys that clients publish at addresses of their own."""
    caller_addresses: CallerAddresses
    body_bytes_max: int
    dynamic_registration_enabled: bool
    upstream_timeout_seconds: float
    ride_out_seconds: float
    """How long a token request waits for a database that is away."""
