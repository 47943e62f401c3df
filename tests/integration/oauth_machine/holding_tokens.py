"""Clients and thieves with tokens: refresh, retry, reuse, revoke."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from shared.domain.sessions import EndCause
from tests.integration.oauth_machine.model import (
    ACCESS_SECONDS,
    DAY,
    HOUR,
    MINUTE,
    SLIDING_SECONDS,
    AccessToken,
    Expected,
    RefreshToken,
    Token,
)
from tests.integration.oauth_machine.server_beside_model import SELDOM, ServerBesideModel

RETRIED_AFTER_SECONDS = (DAY - MINUTE / 2, DAY, HOUR, HOUR - MINUTE)
REUSED_AFTER_SECONDS = (0, MINUTE, MINUTE / 2, 15 * DAY)
REPLAYED_LIFE_SECONDS_MIN = MINUTE
"""A repeated answer whose access token has less left gets another one."""


def _refresh_tokens(*, used: bool) -> Callable[["HoldingTokens"], bool]:
    """Whether there are any of a live grant: with the others next to nothing can happen."""
    return lambda machine: any(one.grant.live for one in machine.refresh_tokens(used=used))


class HoldingTokens(ServerBesideModel):
    """Rules for whoever has tokens, rightly or not."""

    @precondition(_refresh_tokens(used=False))
    @rule(data=st.data(), thief=SELDOM)
    def refresh(self, data: st.DataObject, *, thief: bool) -> None:
        self._present(self.one_of(data, self.refresh_tokens(used=False)), thief=thief)

    @precondition(_refresh_tokens(used=True))
    @rule(data=st.data(), thief=SELDOM)
    def retry_or_reuse(self, data: st.DataObject, *, thief: bool) -> None:
        self._present(self.one_of(data, self.refresh_tokens(used=True)), thief=thief)

    @precondition(_refresh_tokens(used=False))
    @rule(data=st.data(), seconds=st.sampled_from(RETRIED_AFTER_SECONDS))
    def retry_while_the_successor_is_unused(self, data: st.DataObject, seconds: float) -> None:
        token = self.one_of(data, self.refresh_tokens(used=False))
        self._present(token, thief=False)
        self.pass_time(seconds)
        self._present(token, thief=False)

    @precondition(_refresh_tokens(used=False))
    @rule(data=st.data(), seconds=st.sampled_from(REUSED_AFTER_SECONDS), tidied=st.booleans())
    def reuse_after_the_successors_first_use(
        self, data: st.DataObject, seconds: float, *, tidied: bool
    ) -> None:
        token = self.one_of(data, self.refresh_tokens(used=False))
        self._present(token, thief=False)
        if token.successor is not None:
            self._present(token.successor, thief=False)
        self.pass_time(seconds)
        if tidied:
            self.tidy()
        self._present(token, thief=False)

    @precondition(lambda self: self.model.live)
    @rule(data=st.data(), thief=SELDOM)
    def revoke(self, data: st.DataObject, *, thief: bool) -> None:
        tokens: list[Token] = [*self.model.access, *self.model.refresh_tokens]
        token = self.one_of(data, tokens)
        owner = token.grant.client_id
        driver = self.as_client(self.other_than(owner) if thief else owner)
        answer = self.world.run(driver.revoke(token.value))
        if answer.status_code == 401:
            self.refused(answer)
            return
        assert (answer.status_code, answer.json()) == (200, {})
        if not thief and not token.forgotten:
            token.grant.end(EndCause.REVOKED_BY_CLIENT, self.model.now)

    def refresh_tokens(self, *, used: bool) -> list[RefreshToken]:
        """Those that were, or were not, used before."""
        return [one for one in self.model.refresh_tokens if (one.used_at is not None) is used]

    def _present(self, token: RefreshToken, *, thief: bool) -> None:
        owner = token.grant.client_id
        driver = self.as_client(self.other_than(owner) if thief else owner)
        answer = self.world.run(driver.refresh(token.value))
        match self.model.expected_of(token, own=not thief):
            case Expected.ROTATED:
                assert answer.status_code == 200, answer.text
                self._rotated(token, answer.json())
            case Expected.ANSWERED_AGAIN:
                assert answer.status_code == 200, answer.text
                self._answered_again(token, answer.json())
            case Expected.REFUSED:
                self.refused(answer)
            case Expected.FAMILY_ENDED:
                self.refused(answer)
                token.grant.end(EndCause.REFRESH_TOKEN_REUSED, self.model.now)

    def _rotated(self, token: RefreshToken, body: dict[str, Any]) -> None:
        grant, now = token.grant, self.model.now
        token.used_at = now
        token.answer = self._new_access(token, body)
        token.successor = RefreshToken(
            value=body["refresh_token"],
            expires_at=min(now + SLIDING_SECONDS, grant.absolute_end),
            grant=grant,
        )
        grant.family.append(token.successor)

    def _answered_again(self, token: RefreshToken, body: dict[str, Any]) -> None:
        """The very same successor; the same access token for as long as it is worth giving."""
        assert token.successor is not None
        assert token.answer is not None
        assert body["refresh_token"] == token.successor.value
        left = token.answer.expires_at - self.model.now
        if left >= REPLAYED_LIFE_SECONDS_MIN:
            assert body["access_token"] == token.answer.value
        else:
            assert body["access_token"] != token.answer.value
            token.answer = self._new_access(token, body)

    def _new_access(self, token: RefreshToken, body: dict[str, Any]) -> AccessToken:
        expires_at = min(self.model.now + ACCESS_SECONDS, token.grant.absolute_end)
        access = AccessToken(value=body["access_token"], expires_at=expires_at, grant=token.grant)
        token.grant.access.append(access)
        return access
