"""The rows that the fake site keeps: OAuth clients, tokens, codes, browser sessions, approvals.

Plain data; never put a decision here.
"""

from dataclasses import dataclass

REFRESH_TOKEN_SECONDS = 1_209_600
ACCESS_TOKEN_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """A consumer. Without a secret it is public. Lifetimes are in seconds."""

    client_id: str
    label: str = "MCP server"
    secret: str | None = None
    redirect_uris: tuple[str, ...] = ()
    grants: tuple[str, ...] = ("authorization_code", "refresh_token")
    automatic: bool = False
    remembers_approval: bool = True
    access_token_seconds: int = ACCESS_TOKEN_SECONDS
    refresh_token_seconds: int = REFRESH_TOKEN_SECONDS
    default_uid: int | None = None

    @property
    def confidential(self) -> bool:
        """Whether it must authenticate at the token endpoint."""
        return self.secret is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenRow:
    """An issued access token, kept by its ``jti``; no row means revoked."""

    client_id: str
    uid: int | None
    scopes: tuple[str, ...]
    issued_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenRow:
    """An issued refresh token. ``replay_*`` serve the optional replay buffer."""

    client_id: str
    uid: int | None
    scopes: tuple[str, ...]
    access_jti: str
    expires_at: float
    revoked: bool = False
    replay_answer: dict[str, str | int | float] | None = None
    replay_until: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """An issued authorization code."""

    client_id: str
    uid: int
    scopes: tuple[str, ...]
    redirect_uri: str | None
    code_challenge: str | None
    code_challenge_method: str
    expires_at: float
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """A logged-in browser; ``fresh`` until the first request after the login."""

    uid: int
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Scopes that a person has allowed a client before."""

    scopes: tuple[str, ...]
