"""A reply that has arrived by the deadline is kept, whoever looks first."""

import asyncio
import json

import pytest

from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from tests.support.scripted_site import ScriptedSite, http, scripted_site
from tests.support.upstream_world import UpstreamWorld

PAST_EVERY_DEADLINE_SECONDS = 60.0
ANSWER = http(
    200,
    json.dumps({"access_token": "new-access", "refresh_token": "new-refresh", "expires_in": 300}),
    Content_Type="application/json",
)


def _strike_at_the_answer(site: ScriptedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment the site sends its answer every deadline is over: the loop finds both at once."""
    loop = asyncio.get_running_loop()
    real, ahead_seconds = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: real() + sum(ahead_seconds))
    site.on_answer = lambda: ahead_seconds.append(PAST_EVERY_DEADLINE_SECONDS)


async def test_a_reply_that_arrives_while_the_deadline_strikes_is_kept(
    world: UpstreamWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = await world.sign_in()
    async with scripted_site(ANSWER) as site:
        _strike_at_the_answer(site, monkeypatch)
        oauth = DrupalOAuth(DrupalSite(base_url=site.url, client_id="c", client_secret="s"))
        refresher = GrantRefresher(world.own.database, world.own.vault, oauth)

        assert await refresher.refresh(signed_in.grant_id, 1) is RefreshOutcome.REFRESHED

    assert (await world.pair(signed_in)).refresh_token == "new-refresh"
    assert await world.outcomes(signed_in) == ["stored"]
