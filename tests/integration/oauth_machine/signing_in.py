"""Persons and clients on the way to tokens: register, authorize, deny, redeem, replay."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.integration.oauth.driver import Driver, onward, query
from tests.integration.oauth_machine.model import (
    ABSOLUTE_SECONDS,
    ACCESS_SECONDS,
    CODE_SECONDS,
    SLIDING_SECONDS,
    AccessToken,
    Grant,
    Pending,
    RefreshToken,
    Token,
)
from tests.integration.oauth_machine.server_beside_model import (
    CLIENT_NAMES,
    SELDOM,
    SUBJECTS,
    ServerBesideModel,
)

NAMES = st.sampled_from(CLIENT_NAMES)
REDEEMED_AFTER_SECONDS = (0, CODE_SECONDS / 2, CODE_SECONDS, 0)
PEOPLE = st.sampled_from(SUBJECTS)


def _somebody_waits(machine: "SigningIn") -> bool:
    return bool(machine.model.pending)


def _codes(*, used: bool) -> Callable[["SigningIn"], bool]:
    return lambda machine: any((code.used_at is not None) is used for code in machine.model.codes)


class SigningIn(ServerBesideModel):
    """Rules up to the first tokens."""

    @initialize()
    def everybody_is_connected(self) -> None:
        self.world.begin()
        for name, subject in zip(CLIENT_NAMES, SUBJECTS, strict=True):
            self._sign_in_and_redeem(name, subject, seconds=0)

    @rule(name=NAMES, subject=PEOPLE)
    def authorize(self, name: str, subject: str) -> None:
        driver = self.have_registered(name)
        answer = self.world.run(driver.authorize())
        assert answer.status_code == 200, answer.text
        self.model.pending.append(Pending(driver=driver, subject=subject, begun_at=self.model.now))

    @precondition(_somebody_waits)
    @rule(data=st.data())
    def deny(self, data: st.DataObject) -> None:
        pending = self._answered(data)
        answer = self.world.run(pending.driver.decide("deny"))
        if pending.open(self.model.now):
            assert query(onward(answer))["error"] == "access_denied"
        else:
            assert answer.status_code == 400
        again = self.world.run(pending.driver.decide("allow"))
        assert again.status_code == 400

    @precondition(_somebody_waits)
    @rule(data=st.data(), denied=SELDOM)
    def allow(self, data: st.DataObject, *, denied: bool) -> None:
        pending = self._answered(data)
        answer = self.world.run(pending.driver.decide("allow"))
        if not pending.open(self.model.now):
            assert answer.status_code == 400
            return
        self._come_back(pending, onward(answer), denied=denied)

    @rule(name=NAMES, subject=PEOPLE, seconds=st.sampled_from(REDEEMED_AFTER_SECONDS))
    def sign_in_and_redeem(self, name: str, subject: str, seconds: float) -> None:
        self._sign_in_and_redeem(name, subject, seconds=seconds)

    def _sign_in_and_redeem(self, name: str, subject: str, *, seconds: float) -> None:
        driver = self.have_registered(name)
        self.world.run(driver.authorize())
        location = onward(self.world.run(driver.decide("allow")))
        pending = Pending(driver=driver, subject=subject, begun_at=self.model.now)
        self._come_back(pending, location, denied=False)
        self.pass_time(seconds)
        self._redeem(self.model.codes[-1], thief=False, verifier=None)

    @precondition(_codes(used=False))
    @rule(data=st.data(), seconds=st.sampled_from(REDEEMED_AFTER_SECONDS), thief=SELDOM)
    def redeem(self, data: st.DataObject, seconds: float, *, thief: bool) -> None:
        unused = [code for code in self.model.codes if code.used_at is None]
        code = self.one_of(data, unused)
        guesses = data.draw(SELDOM)
        self.pass_time(seconds)
        self._redeem(code, thief=thief, verifier="g" * 43 if guesses else None)

    @precondition(_codes(used=True))
    @rule(data=st.data(), thief=SELDOM)
    def replay(self, data: st.DataObject, *, thief: bool) -> None:
        used = [code for code in self.model.codes if code.used_at is not None]
        self._redeem(self.one_of(data, used), thief=thief, verifier=None)

    def _answered(self, data: st.DataObject) -> Pending:
        pending = data.draw(st.sampled_from(self.model.pending))
        self.model.pending.remove(pending)
        pending.driver.http = self.world.http
        return pending

    def _come_back(self, pending: Pending, location: str, *, denied: bool) -> None:
        """From Drupal, with its code or its refusal."""
        driver = pending.driver
        self.world.site.subject = pending.subject
        more = {"error": "access_denied"} if denied else {}
        back = query(self.world.run(driver.return_from_site(location, **more)).headers["location"])
        if denied:
            assert back["error"] == "access_denied"
            return
        known = {grant.grant_id for grant in self.model.grants}
        stored = {
            grant_id for (grant_id,) in self.world.rows("SELECT grant_id::text FROM app.grants")
        }
        (grant_id,) = stored - known
        grant = Grant(
            grant_id=grant_id,
            client_id=driver.client_id,
            subject=pending.subject,
            created_at=self.model.now,
        )
        expires_at = self.model.now + CODE_SECONDS
        self.model.grants.append(grant)
        self.model.codes.append(Token(value=back["code"], expires_at=expires_at, grant=grant))

    def _redeem(self, code: Token, *, thief: bool, verifier: str | None) -> None:
        owner = code.grant.client_id
        driver: Driver = self.as_client(self.other_than(owner) if thief else owner)
        changes = {} if verifier is None else {"code_verifier": verifier}
        answer = self.world.run(driver.redeem(code.value, **changes))
        if not self.model.redeems(code, rightly=not thief and verifier is None):
            self.refused(answer)
            return
        assert answer.status_code == 200, answer.text
        self._issued(code.grant, answer.json())

    def _issued(self, grant: Grant, body: dict[str, Any]) -> None:
        now = self.model.now
        grant.absolute_end = now + ABSOLUTE_SECONDS
        grant.access.append(
            AccessToken(value=body["access_token"], expires_at=now + ACCESS_SECONDS, grant=grant)
        )
        grant.family.append(
            RefreshToken(value=body["refresh_token"], expires_at=now + SLIDING_SECONDS, grant=grant)
        )
