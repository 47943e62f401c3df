"""What a client holds after a sign-in, and the rule by which its refresh token rotates."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.identifiers import ClientId, GrantId, SessionId

REPLAY_SECONDS_MAX = 86_400
"""A predecessor yields its unused successor again for this long: clients lose answers."""
GRACE_SECONDS = 60
"""And for this long after the successor's first use: hosted clients refresh from two nodes."""


class EndCause(StrEnum):
    """Why a session or grant ended: every end has one, and is counted by it."""

    REVOKED_BY_CLIENT = "revoked_by_client"
    DISCONNECTED_BY_PERSON = "disconnected_by_person"
    CODE_REPLAYED = "code_replayed"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"
    EXPIRED = "expired"
    REJECTED_UPSTREAM = "rejected_upstream"
    REPLY_LOST = "reply_lost"
    """Drupal replaced the pair and its answer reached nobody: ours, or nobody's, fault."""
    SUBJECT_CHANGED = "subject_changed"
    ERASED = "erased"
    CONTAINED = "contained"
    """An operator ended it in an incident (``scripts/contain``)."""


REVIVABLE_CAUSES = frozenset({EndCause.REJECTED_UPSTREAM, EndCause.REPLY_LOST})
"""Ends that say no more than that no living pair was at hand: one that turns up takes them back."""


class Responsible(StrEnum):
    """Whose doing an end is; an end that is neither the person's nor its time's is a loss."""

    PERSON = "person"
    """They, their client, or somebody who used what was theirs: it had to end."""
    TIME = "time"
    SITE = "site"
    """Drupal took it back, for reasons of its own or of the person's account there."""
    OPERATOR = "operator"
    """Ended on purpose, to protect the person: no fault, so that an incident hides none."""
    US = "us"


RESPONSIBLE: dict[EndCause, Responsible] = {
    EndCause.REVOKED_BY_CLIENT: Responsible.PERSON,
    EndCause.DISCONNECTED_BY_PERSON: Responsible.PERSON,
    EndCause.CODE_REPLAYED: Responsible.PERSON,
    EndCause.REFRESH_TOKEN_REUSED: Responsible.PERSON,
    EndCause.EXPIRED: Responsible.TIME,
    EndCause.REJECTED_UPSTREAM: Responsible.SITE,
    EndCause.REPLY_LOST: Responsible.US,
    EndCause.SUBJECT_CHANGED: Responsible.SITE,
    EndCause.ERASED: Responsible.PERSON,
    EndCause.CONTAINED: Responsible.OPERATOR,
}
LOSSES = frozenset(
    cause for cause, whose in RESPONSIBLE.items() if whose in (Responsible.SITE, Responsible.US)
)
"""Ends that break a session's continuity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One refresh family of one grant for one client and resource."""

    session_id: SessionId
    grant_id: GrantId
    client_id: ClientId
    resource: str
    scopes: tuple[str, ...]
    absolute_expires_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenState:
    """A refresh token as the database knows it, with the first use of its successor."""

    expires_at: datetime
    used_at: datetime | None
    successor_used_at: datetime | None


class RotationDecision(StrEnum):
    """What to do with a presented refresh token."""

    ROTATE = "rotate"
    REPLAY = "replay"
    REFUSE = "refuse"
    END_FAMILY = "end_family"


def decide_rotation(
    session: Session, token: RefreshTokenState, *, now: datetime
) -> RotationDecision:
    """Decide over a presented refresh token (OAuth 2.1 section 4.3.1, with a lost-answer rule).

    A fresh token rotates. A used one yields the same successor until that successor's first use,
    and for a grace window after it. Later use means that two parties hold it: the family ends.
    """
    if session.ended_at is not None or now >= session.absolute_expires_at:
        return RotationDecision.REFUSE
    if token.used_at is None:
        return RotationDecision.ROTATE if now < token.expires_at else RotationDecision.REFUSE
    if token.successor_used_at is None:
        lost_answer_until = token.used_at + timedelta(seconds=REPLAY_SECONDS_MAX)
        return RotationDecision.REPLAY if now < lost_answer_until else RotationDecision.REFUSE
    grace_until = token.successor_used_at + timedelta(seconds=GRACE_SECONDS)
    return RotationDecision.REPLAY if now < grace_until else RotationDecision.END_FAMILY
