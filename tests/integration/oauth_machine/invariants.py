"""What holds after every step, by the word of the model and of the database."""

from collections.abc import Sequence

from tests.integration.oauth_machine.model import DAY, AccessToken, Model
from tests.integration.oauth_machine.world import World

ENDED_KEPT_SECONDS = 90 * DAY

_GRANTS = "SELECT grant_id::text, status, ended_cause FROM app.grants"
_ENDS_AUDITED = (
    "SELECT grant_id::text, details ->> 'cause' FROM app.audit_events WHERE action = 'grant:ended'"
)
_OPEN_SESSIONS_OF_ENDED_GRANTS = (
    "SELECT s.session_id FROM app.sessions s JOIN app.grants g USING (grant_id)"
    " WHERE g.status = 'ended' AND s.ended_at IS NULL"
)
_FAMILIES_WITH_TWO_HEADS = (
    "SELECT session_id FROM app.refresh_tokens WHERE used_at IS NULL"
    " GROUP BY session_id HAVING count(*) > 1"
)
_GRANTS_WITH_TWO_SESSIONS = (
    "SELECT grant_id FROM app.sessions GROUP BY grant_id HAVING count(*) > 1"
)
_PAIRS_NOBODY_TELLS_OF = (
    "SELECT grant_id FROM app.grants g WHERE status = 'ended' AND pair_ciphertext IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM app.revocation_outbox o WHERE o.grant_id = g.grant_id)"
)


def access_only_with_a_live_grant(
    world: World, model: Model, tokens: Sequence[AccessToken]
) -> None:
    """The resource server accepts those of ``tokens`` that the model accepts, and no others."""
    accepted = world.accepted([token.value for token in tokens])
    for token in tokens:
        assert (token.value in accepted) is model.accepts(token), (token, token.grant)


def grants_end_by_a_cause_of_the_list(world: World, model: Model) -> None:
    """Each grant is as the model has it: live, or ended by the very cause."""
    stored = {grant_id: (status, cause) for grant_id, status, cause in world.rows(_GRANTS)}
    for grant in model.grants:
        status, cause = stored.pop(grant.grant_id, ("gone", None))
        if status == "gone":
            assert not grant.live
            assert model.now > grant.ended_at + ENDED_KEPT_SECONDS
        else:
            assert (status == "ended") is not grant.live, grant
            assert cause == (None if grant.cause is None else grant.cause.value), grant
    assert stored == {}, "a grant without a consent"


def every_end_is_audited_once_with_its_cause(world: World, model: Model) -> None:
    """The trail has as many ends as there were, and says why."""
    expected = [
        (grant.grant_id, grant.cause.value) for grant in model.grants if grant.cause is not None
    ]
    assert sorted(world.rows(_ENDS_AUDITED)) == sorted(expected)


def nothing_outlives_a_grant(world: World, _: Model) -> None:
    """No session of an ended grant is open, and Drupal will hear of every ended pair."""
    assert world.rows(_OPEN_SESSIONS_OF_ENDED_GRANTS) == []
    assert world.rows(_PAIRS_NOBODY_TELLS_OF) == []


def there_is_one_way_on(world: World, _: Model) -> None:
    """A grant has one session at most, and a family one unused token."""
    assert world.rows(_GRANTS_WITH_TWO_SESSIONS) == []
    assert world.rows(_FAMILIES_WITH_TWO_HEADS) == []
