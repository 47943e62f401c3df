"""What happens around them: persons change their mind, time passes, Drupal and we have our days."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from shared.domain.sessions import EndCause
from shared.upstream.failures import RefreshRejectedError, UpstreamTimeoutError
from shared.workflows.refresh_grant import RefreshOutcome
from tests.integration.oauth.visitor import Visitor
from tests.integration.oauth_machine.model import DAY, HOUR, MINUTE, Grant
from tests.integration.oauth_machine.server_beside_model import SELDOM, ServerBesideModel

# All multiples of half a minute, as all limits are: a step ends before a limit or on it.
STEPS_SECONDS = (MINUTE / 2, MINUTE, 3 * MINUTE, HOUR, DAY, 29 * DAY)
TICKS_SECONDS = (0, 2 * HOUR, 29 * DAY, 30 * DAY)
DOUBTED_SECONDS = (0, 2 * MINUTE, 2.5 * MINUTE, 8 * DAY)
A_GRANT_LIVES = precondition(lambda self: self.model.live)


class Surroundings(ServerBesideModel):
    """Rules for everybody else."""

    @rule(seconds=st.sampled_from(STEPS_SECONDS))
    def expire(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule()
    def restart(self) -> None:
        self.world.start()

    @rule(seconds=st.sampled_from(TICKS_SECONDS))
    def clean_up(self, seconds: float) -> None:
        self.pass_time(seconds)
        self.tidy()

    @A_GRANT_LIVES
    @rule(data=st.data(), everything=SELDOM)
    def disconnect(self, data: st.DataObject, *, everything: bool) -> None:
        grant = self._grant(data)
        visitor = self._visitor(grant.subject)
        live = [one for one in self.model.grants if one.live and one.subject == grant.subject]
        assert set(visitor.connections) == {one.grant_id for one in live}
        if everything:
            self.world.run(visitor.post("disconnect_all"))
        else:
            self.world.run(visitor.post("disconnect", connection=grant.grant_id))
        for ended in live if everything else [grant]:
            ended.end(EndCause.DISCONNECTED_BY_PERSON, self.model.now)

    @A_GRANT_LIVES
    @rule(data=st.data())
    def the_site_refreshes(self, data: st.DataObject) -> None:
        grant = self._grant(data)
        outcome = self.world.refresh_pair(grant.grant_id, grant.generation, failure=None)
        if grant.live:
            assert outcome is RefreshOutcome.REFRESHED
            grant.generation, grant.doubts = grant.generation + 1, []

    @A_GRANT_LIVES
    @rule(data=st.data())
    def the_site_refuses(self, data: st.DataObject) -> None:
        self._refused_by_the_site(self._grant(data))

    @A_GRANT_LIVES
    @rule(data=st.data(), seconds=st.sampled_from(DOUBTED_SECONDS))
    def the_site_hangs_and_later_refuses(self, data: st.DataObject, seconds: float) -> None:
        grant = self._grant(data)
        silence = UpstreamTimeoutError(sent=True)
        self.world.refresh_pair(grant.grant_id, grant.generation, failure=silence)
        if grant.live:
            grant.doubts.append(self.model.now)
        self.pass_time(seconds)
        self._refused_by_the_site(grant)

    def _refused_by_the_site(self, grant: Grant) -> None:
        believed = self.model.refusal_ends(grant)
        outcome = self.world.refresh_pair(
            grant.grant_id, grant.generation, failure=RefreshRejectedError()
        )
        assert (outcome is RefreshOutcome.REJECTED) is (believed is not None)
        if believed is not None:
            grant.end(believed, self.model.now)

    def _grant(self, data: st.DataObject) -> Grant:
        """Any grant; seldom one that has ended."""
        return data.draw(
            st.sampled_from(self.model.grants if data.draw(SELDOM) else self.model.live)
        )

    def _visitor(self, subject: str) -> Visitor:
        """A person who has just signed in to the account page."""
        visitor = Visitor(self.world.http, self.world.site, subject=subject)
        assert self.world.run(visitor.sign_in()).status_code == 200
        return visitor
