"""A grant: one person's consent for one client; owns one sealed upstream token pair."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.identifiers import ClientId, GrantId, SessionId, UpstreamSubject, UserId

REFRESH_BEFORE_EXPIRY_SECONDS = 300
REFRESH_JITTER_SECONDS_MAX = 120
ON_DEMAND_LIFE_SECONDS_MAX = 600
"""Pairs that live this long or less are refreshed when needed: a schedule would never rest."""
SUSPENDED_RETRY_SECONDS = 300
"""A suspended grant is tried again on demand once in this time."""
DEFAULT_LIFE_SECONDS = 300
"""Drupal's default, taken when an answer's ``expires_in`` is missing or makes no sense."""
LIFE_SECONDS_MAX = 86_400 * 30


class GrantStatus(StrEnum):
    """Only ``ended`` is final, and every end has a cause."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPair:
    """Drupal's tokens in the open. Lives in memory only; its repr shows nothing."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    life_seconds: int
    subject: UpstreamSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPair:
    """Drupal's tokens as stored: one ciphertext over both, and the data key it needs."""

    ciphertext: bytes = field(repr=False)
    key_generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant with all that opening and refreshing its pair needs.

    ``pair_generation`` counts the pairs this grant has had: it fences every write of a pair.
    """

    grant_id: GrantId
    user_id: UserId
    client_id: ClientId
    subject: UpstreamSubject
    user_salt: bytes = field(repr=False)
    status: GrantStatus
    pair: SealedPair
    pair_generation: int
    access_expires_at: datetime
    suspended_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedCall:
    """What one database round trip tells about a bearer: session, grant and sealed pair."""

    session_id: SessionId
    client_id: ClientId
    client_name: str
    scopes: tuple[str, ...]
    session_expires_at: datetime
    grant: Grant
    now: datetime
    """Database time of the check."""


def refresh_due_at(*, issued_at: datetime, life_seconds: int, jitter: float) -> datetime | None:
    """When the background refresh of a pair is due; None for pairs refreshed on demand only.

    Five minutes before expiry less a jitter (``jitter`` in 0..1), never before half of the life.
    """
    if life_seconds <= ON_DEMAND_LIFE_SECONDS_MAX:
        return None
    early = life_seconds - REFRESH_BEFORE_EXPIRY_SECONDS - jitter * REFRESH_JITTER_SECONDS_MAX
    return issued_at + timedelta(seconds=max(early, life_seconds / 2))


def sane_life_seconds(expires_in: object) -> int:
    """The life of an access token from an untrusted ``expires_in``, in seconds.

    Drupal and what stands before it have sent strings, floats and nonsense; a wrong guess only
    costs a refresh on demand.
    """
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return DEFAULT_LIFE_SECONDS
    try:
        seconds = int(float(expires_in))
    except (ValueError, OverflowError):
        return DEFAULT_LIFE_SECONDS
    return min(seconds, LIFE_SECONDS_MAX) if seconds > 0 else DEFAULT_LIFE_SECONDS
