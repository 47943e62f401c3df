"""Keeps the canary signed in, as any client does: by its refresh token, ahead of time.

A lost answer or a secret that cannot be written costs nothing: the same refresh token gives the
same successor again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import SecretStr

from shared.checks.canary_session import CanarySession, SessionStore
from shared.checks.catalogue import CanaryAccount, CheckFailedError
from shared.checks.doors import Answered, Door, Doors, Question
from shared.discovery.documents import TOKEN_PATH

REFRESH_AHEAD_SECONDS: Final = 3_600.0
"""An outage of the token endpoint shorter than this never touches the other checks."""
CLOCK_MARGIN_SECONDS: Final = 120.0
"""A former token is tried this long after its end at the earliest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeeper:
    """Loads the session, and refreshes it when its access token has an hour left or less."""

    store: SessionStore
    doors: Doors
    mcp_url: str
    now: Callable[[], float]

    async def load(self) -> CanarySession:
        """The session as it is kept.

        Raises:
            NoSessionError, UnavailableError: as the store's.
        """
        return await self.store.load()

    def is_due(self, session: CanarySession) -> bool:
        """Whether it is time to refresh."""
        return self.now() > session.access_ends_at - REFRESH_AHEAD_SECONDS

    def account(self, session: CanarySession) -> CanaryAccount:
        """What the checks need of it."""
        return session.account(self.now())

    async def refresh(self, session: CanarySession) -> CanarySession:
        """The next session, kept already.

        Raises:
            CheckFailedError: the token endpoint does not give one.
            NoAnswerError: it does not answer.
            UnavailableError: the next session could not be kept; the one before works on.
        """
        answer = await self.doors.ask(self._question(session))
        following = self._following(session, _tokens(answer))
        await self.store.keep(following)
        return following

    def _question(self, session: CanarySession) -> Question:
        form = {
            "grant_type": "refresh_token",
            "client_id": session.client_id,
            "refresh_token": session.refresh_token.get_secret_value(),
            "resource": self.mcp_url,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Question(Door.OAUTH, TOKEN_PATH, "POST", headers, urlencode(form))

    def _following(self, session: CanarySession, tokens: dict[str, Any]) -> CanarySession:
        return session.model_copy(
            update={
                "access_token": SecretStr(tokens["access_token"]),
                "access_ends_at": self.now() + tokens["expires_in"],
                "refresh_token": SecretStr(tokens["refresh_token"]),
                "former_access_token": session.access_token,
                "former_ends_at": session.access_ends_at + CLOCK_MARGIN_SECONDS,
            }
        )


def _tokens(answer: Answered) -> dict[str, Any]:
    tokens = answer.json()
    if answer.status != 200 or not isinstance(tokens, dict):
        # Named by RFC 6749 section 5.2, and nothing else of the answer.
        raise CheckFailedError(
            "the session is over" if _is_over(answer) else "does not answer with tokens"
        )
    named = {"access_token": str, "refresh_token": str, "expires_in": int}
    if not all(isinstance(tokens.get(name), kind) for name, kind in named.items()):
        raise CheckFailedError("answers without the tokens")
    return tokens


def _is_over(answer: Answered) -> bool:
    problem = answer.json()
    return isinstance(problem, dict) and problem.get("error") == "invalid_grant"
