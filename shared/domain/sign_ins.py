"""A sign-in: one person's trip from ``/authorize`` to Drupal and back; single use, ten minutes."""

from dataclasses import dataclass

from shared.domain.identifiers import ClientId, SignInId
from shared.domain.tokens import TokenHash

SIGN_IN_SECONDS_MAX = 600
CODE_SECONDS_MAX = 60
CODE_KEPT_SECONDS = 86_400
"""A used code stays for a day, so that its replay is recognised."""


@dataclass(frozen=True, slots=True)
class SpentTime:
    """What our requests of one sign-in have taken, in milliseconds: no wait for the person."""

    total_milliseconds: float = 0.0
    own_milliseconds: float = 0.0
    """Without what Drupal took."""

    def and_then(self, later: "SpentTime") -> "SpentTime":
        """Both together."""
        return SpentTime(
            self.total_milliseconds + later.total_milliseconds,
            self.own_milliseconds + later.own_milliseconds,
        )


NO_TIME = SpentTime()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client asked for at ``/authorize``, validated: safe to redirect back to."""

    client_id: ClientId
    redirect_uri: str
    client_state: str | None
    scopes: tuple[str, ...]
    resource: str
    code_challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """An open sign-in. The database knows cookie, form and state values by hash only."""

    sign_in_id: SignInId
    request: AuthorizationRequest
    browser_hash: TokenHash
    spent: SpentTime = NO_TIME
