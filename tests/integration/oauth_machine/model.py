"""What the server must do, said again in plain Python and without a look at its code.

Times are seconds since the example began. The numbers are the promises', written out here on
purpose: who changes one in the server is to notice.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.domain.sessions import EndCause
from tests.integration.oauth.driver import Driver

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400

SIGN_IN_SECONDS: Final = 10 * MINUTE
CODE_SECONDS: Final = MINUTE
ACCESS_SECONDS: Final = HOUR
SLIDING_SECONDS: Final = 30 * DAY
ABSOLUTE_SECONDS: Final = 90 * DAY
LOST_ANSWER_SECONDS: Final = DAY
GRACE_SECONDS: Final = MINUTE
UNREDEEMED_SECONDS: Final = HOUR
DOUBT_SECONDS: Final = 2 * MINUTE
FORGOTTEN_SECONDS: Final = DAY
"""An expired code or token may be deleted this long after its time."""
DOUBTS_KEPT_SECONDS: Final = 7 * DAY


class Expected(StrEnum):
    """What a presented refresh token must lead to."""

    ROTATED = "rotated"
    ANSWERED_AGAIN = "answered_again"
    REFUSED = "refused"
    FAMILY_ENDED = "family_ended"


@dataclass(eq=False, kw_only=True)
class Token:
    """A code or token that the server gave out."""

    value: str = field(repr=False)
    expires_at: float
    grant: "Grant" = field(repr=False)
    used_at: float | None = None
    forgotten: bool = False
    """The row may be gone."""

    def lives(self, now: float) -> bool:
        """Whether its own time is not over."""
        return now < self.expires_at


@dataclass(eq=False, kw_only=True)
class AccessToken(Token):
    """What calls are made with."""


@dataclass(eq=False, kw_only=True)
class RefreshToken(Token):
    """One of a family; ``answer`` is what its use gave."""

    successor: "RefreshToken | None" = None
    answer: AccessToken | None = None


@dataclass(eq=False, kw_only=True)
class Grant:
    """What remains of a consent, with all that was issued for it."""

    grant_id: str
    client_id: str
    subject: str
    created_at: float
    cause: EndCause | None = None
    ended_at: float = 0
    absolute_end: float = 0
    access: list[AccessToken] = field(default_factory=list)
    family: list[RefreshToken] = field(default_factory=list)
    generation: int = 1
    doubts: list[float] = field(default_factory=list)
    """When refreshes of the present pair began whose outcome nobody knows."""

    @property
    def live(self) -> bool:
        """Whether nothing has ended it."""
        return self.cause is None

    def end(self, cause: EndCause, now: float) -> None:
        """The first cause stays."""
        if self.live:
            self.cause, self.ended_at = cause, now

    def usable(self, now: float) -> bool:
        """Whether a client can still do anything with it."""
        newest = self.family[-1:]
        tokens: list[Token] = [*newest, *self.access]
        return now < self.absolute_end and any(token.lives(now) for token in tokens)


@dataclass(eq=False, kw_only=True)
class Pending:
    """A consent page that waits for an answer, in a browser of its own."""

    driver: Driver = field(repr=False)
    subject: str
    begun_at: float

    def open(self, now: float) -> bool:
        """Whether it can still be answered."""
        return now < self.begun_at + SIGN_IN_SECONDS


@dataclass(kw_only=True)
class Model:
    """Everything that was given out in one example."""

    now: float = 0
    clients: dict[str, str] = field(default_factory=dict)
    """Client ids by the name that was registered."""
    pending: list[Pending] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    codes: list[Token] = field(default_factory=list)

    @property
    def access(self) -> list[AccessToken]:
        """Every access token ever given out."""
        return [token for grant in self.grants for token in grant.access]

    @property
    def refresh_tokens(self) -> list[RefreshToken]:
        """Every refresh token ever given out."""
        return [token for grant in self.grants for token in grant.family]

    @property
    def live(self) -> list[Grant]:
        """The grants that nothing has ended."""
        return [grant for grant in self.grants if grant.live]

    def accepts(self, token: AccessToken) -> bool:
        """Whether a call with it goes through: never without a live grant."""
        return token.grant.live and token.lives(self.now)

    def redeems(self, code: Token, *, rightly: bool) -> bool:
        """Whether the code gives tokens; a second use ends what the first one gave."""
        if code.forgotten:
            return False
        if code.used_at is not None:
            code.grant.end(EndCause.CODE_REPLAYED, self.now)
            return False
        code.used_at = self.now
        return rightly and code.lives(self.now) and code.grant.live

    def expected_of(self, token: RefreshToken, *, own: bool) -> Expected:
        """What must come of presenting it."""
        grant = token.grant
        if token.forgotten or not own or not grant.live or self.now >= grant.absolute_end:
            return Expected.REFUSED
        if token.used_at is None or token.successor is None:
            return Expected.ROTATED if token.lives(self.now) else Expected.REFUSED
        first_use = token.successor.used_at
        if first_use is None:
            lost = self.now < token.used_at + LOST_ANSWER_SECONDS
            return Expected.ANSWERED_AGAIN if lost else Expected.REFUSED
        in_grace = self.now < first_use + GRACE_SECONDS
        return Expected.ANSWERED_AGAIN if in_grace else Expected.FAMILY_ENDED

    def refusal_ends(self, grant: Grant) -> EndCause | None:
        """The cause with which Drupal's refusal of a pair ends the grant; None: not believed."""
        if not grant.live or any(self.now <= at + DOUBT_SECONDS for at in grant.doubts):
            return None
        return EndCause.REPLY_LOST if grant.doubts else EndCause.REJECTED_UPSTREAM

    def clean_up(self) -> None:
        """What a run of the cleanup ends and may forget."""
        for grant in self.grants:
            old = self.now > grant.created_at + UNREDEEMED_SECONDS
            if old and not grant.usable(self.now):
                grant.end(EndCause.EXPIRED, self.now)
            grant.doubts = [at for at in grant.doubts if self.now <= at + DOUBTS_KEPT_SECONDS]
        for token in [*self.codes, *self.refresh_tokens, *self.access]:
            spent = isinstance(token, AccessToken) or token.used_at is not None
            if self.now > token.expires_at + FORGOTTEN_SECONDS:
                token.forgotten = token.forgotten or spent or not token.grant.live
