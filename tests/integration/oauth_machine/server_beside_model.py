"""What all rules share: the server beside the model of it, and how they are compared."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import httpx2
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.integration.oauth.driver import LOOPBACK_REDIRECT, Driver
from tests.integration.oauth_machine import invariants
from tests.integration.oauth_machine.model import AccessToken, Model, Token
from tests.integration.oauth_machine.world import World

T = TypeVar("T", bound=Token)

CLIENT_NAMES: Final = ("Own app", "Other app")
SUBJECTS: Final = ("42", "43")
SELDOM: Final = st.sampled_from([False, False, False, True])


class ServerBesideModel(RuleBasedStateMachine):
    """What the rules work with, and what holds after each of them."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.model = Model()
        self._dead: set[AccessToken] = set()
        """Refused once; that they stay so is looked at in the end."""

    def teardown(self) -> None:
        """Nothing that was dead has come to life again."""
        invariants.access_only_with_a_live_grant(self.world, self.model, list(self._dead))

    def have_registered(self, name: str) -> Driver:
        """A client that registers at every start, as many do; the id is the same each time."""
        driver = Driver(
            http=self.world.http, upstream=self.world.site, redirect_uri=LOOPBACK_REDIRECT
        )
        client_id = self.world.run(driver.register(client_name=name))["client_id"]
        assert self.model.clients.setdefault(name, client_id) == client_id
        return driver

    def as_client(self, client_id: str) -> Driver:
        """A client that has registered before."""
        driver = Driver(http=self.world.http, upstream=self.world.site, client_id=client_id)
        driver.redirect_uri = LOOPBACK_REDIRECT
        return driver

    def other_than(self, client_id: str) -> str:
        """The other client."""
        return next(known for known in self.model.clients.values() if known != client_id)

    def one_of(self, data: st.DataObject, tokens: Sequence[T]) -> T:
        """One of these; seldom one of a grant that has ended, where nothing can happen any more."""
        live = [token for token in tokens if token.grant.live]
        seldom = data.draw(SELDOM)
        return data.draw(st.sampled_from(tokens if seldom or not live else live))

    def pass_time(self, seconds: float) -> None:
        """Move the clock on."""
        self.world.place.clock.advance(seconds)
        self.model.now += seconds

    def tidy(self) -> None:
        """A tick of the cleanup."""
        self.world.clean_up()
        self.model.clean_up()

    def refused(self, answer: httpx2.Response) -> None:
        """The one answer for all that is no good; a client may be gone that has no grant left."""
        assert answer.status_code in {400, 401}, answer.text
        body: dict[str, Any] = answer.json()
        if body["error"] == "invalid_client":
            assert answer.status_code == 401
            assert not any(grant.live for grant in self.model.grants)
            return
        assert (answer.status_code, body["error"]) == (400, "invalid_grant"), body

    @invariant()
    def nobody_has_access_without_a_live_grant(self) -> None:
        fresh = [token for token in self.model.access if token not in self._dead]
        invariants.access_only_with_a_live_grant(self.world, self.model, fresh)
        self._dead |= {token for token in fresh if not self.model.accepts(token)}

    @invariant()
    def grants_end_by_person_reuse_expiry_or_a_believed_refusal_only(self) -> None:
        invariants.grants_end_by_a_cause_of_the_list(self.world, self.model)

    @invariant()
    def every_end_is_audited_with_its_cause(self) -> None:
        invariants.every_end_is_audited_once_with_its_cause(self.world, self.model)

    @invariant()
    def nothing_outlives_its_grant(self) -> None:
        invariants.nothing_outlives_a_grant(self.world, self.model)

    @invariant()
    def there_is_one_way_on(self) -> None:
        invariants.there_is_one_way_on(self.world, self.model)
