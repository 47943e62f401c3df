"""The site's OAuth server in both dialects, from the browser's address to the burnt pair."""

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from scripts.fake_drupal.browser import ScriptedBrowser
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from shared.domain.grants import DEFAULT_LIFE_SECONDS, UpstreamPair
from shared.domain.identifiers import UpstreamSubject
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.failures import (
    CodeRejectedError,
    RefreshRejectedError,
    UpstreamAnswerInvalidError,
    UpstreamMisconfiguredError,
    UpstreamUnavailableError,
)
from shared.upstream.wire import unverified_claims
from tests.support.scripted_site import http, scripted_site
from tests.unit.upstream.test_wire import jwt_of

VERIFIER = "v" * 43
CALLBACK = "http://127.0.0.1/oauth/callback"


@pytest.fixture(params=[5, 6])
async def drupal(request: pytest.FixtureRequest) -> AsyncIterator[RunningFakeDrupal]:
    async with running_fake_drupal(request.param) as running:
        yield running


def oauth_of(drupal: RunningFakeDrupal, **changed: str | None) -> DrupalOAuth:
    settings: dict[str, str | None] = {
        "client_id": drupal.client.client_id,
        "client_secret": drupal.client.secret,
        **changed,
    }
    client_id = settings["client_id"]
    assert client_id is not None
    return DrupalOAuth(
        DrupalSite(
            base_url=drupal.url,
            client_id=client_id,
            client_secret=settings["client_secret"],
            scopes=drupal.scopes,
            redirect_uri=CALLBACK,
        )
    )


async def code_of(drupal: RunningFakeDrupal, oauth: DrupalOAuth) -> str:
    url = oauth.authorization_url(state="the-state", code_verifier=VERIFIER)
    async with httpx.AsyncClient() as client:
        back = await ScriptedBrowser(client).log_in_and_allow(
            url, name="maya", password="maya-demo"
        )
    query = parse_qs(urlsplit(back).query)
    assert query["state"] == ["the-state"]
    return query["code"][0]


async def redeem(oauth: DrupalOAuth, code: str, verifier: str = VERIFIER) -> UpstreamPair:
    return await oauth.redeem_code(code, code_verifier=verifier, timeout_seconds=5)


async def test_a_sign_in_yields_a_pair_of_the_person_who_signed_in(
    drupal: RunningFakeDrupal,
) -> None:
    oauth = oauth_of(drupal)

    pair = await redeem(oauth, await code_of(drupal, oauth))

    assert pair.subject == "2"
    assert pair.life_seconds == 300
    assert pair.refresh_token is not None


async def test_the_authorization_address_has_a_s256_challenge_and_never_the_verifier(
    drupal: RunningFakeDrupal,
) -> None:
    url = oauth_of(drupal).authorization_url(state="the-state", code_verifier=VERIFIER)

    query = parse_qs(urlsplit(url).query)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert query["redirect_uri"] == [CALLBACK]
    assert query["scope"] == [" ".join(drupal.scopes)]
    assert VERIFIER not in url


async def test_a_used_code_is_rejected(drupal: RunningFakeDrupal) -> None:
    oauth = oauth_of(drupal)
    code = await code_of(drupal, oauth)
    await redeem(oauth, code)

    with pytest.raises(CodeRejectedError):
        await redeem(oauth, code)


@pytest.mark.parametrize(
    "code", ["garbage", "def50200ff", "a b&c=d%+;", "ü", "", "a\x00", "a\r\nb", "\ud800"]
)
async def test_a_code_that_is_none_is_rejected(drupal: RunningFakeDrupal, code: str) -> None:
    with pytest.raises(CodeRejectedError):
        await redeem(oauth_of(drupal), code)


async def test_a_wrong_verifier_is_rejected(drupal: RunningFakeDrupal) -> None:
    oauth = oauth_of(drupal)

    with pytest.raises(CodeRejectedError):
        await redeem(oauth, await code_of(drupal, oauth), "w" * 43)


async def test_a_refresh_rotates_the_pair_and_the_old_one_is_rejected(
    drupal: RunningFakeDrupal,
) -> None:
    oauth = oauth_of(drupal)
    old = str(drupal.issue_pair("maya")["refresh_token"])

    new = await oauth.refresh(old, timeout_seconds=5)

    assert new.refresh_token not in (None, old)
    with pytest.raises(RefreshRejectedError):
        await oauth.refresh(old, timeout_seconds=5)
    assert new.refresh_token is not None
    await oauth.refresh(new.refresh_token, timeout_seconds=5)


@pytest.mark.parametrize("token", ["garbage", "def50200ff"])
async def test_a_refresh_token_that_is_none_is_rejected(
    drupal: RunningFakeDrupal, token: str
) -> None:
    with pytest.raises(RefreshRejectedError):
        await oauth_of(drupal).refresh(token, timeout_seconds=5)


@pytest.mark.parametrize(
    "changed",
    [{"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "stranger"}],
)
async def test_a_client_that_the_site_does_not_know_is_a_misconfiguration(
    drupal: RunningFakeDrupal, changed: dict[str, str | None]
) -> None:
    token = str(drupal.issue_pair("maya")["refresh_token"])

    with pytest.raises(UpstreamMisconfiguredError):
        await oauth_of(drupal, **changed).refresh(token, timeout_seconds=5)


async def test_a_public_client_sends_its_id_alone() -> None:
    async with running_fake_drupal(6, client_secret=None) as drupal:
        oauth = oauth_of(drupal)

        assert (await redeem(oauth, await code_of(drupal, oauth))).subject == "2"


async def test_a_burnt_pair_is_worthless() -> None:
    async with running_fake_drupal(6) as drupal:
        oauth = oauth_of(drupal)
        pair = await redeem(oauth, await code_of(drupal, oauth))

        await oauth.burn(pair, timeout_seconds=5)

        assert drupal.control.live_tokens("maya")[0] == 0
        assert pair.refresh_token is not None
        with pytest.raises(RefreshRejectedError):
            await oauth.refresh(pair.refresh_token, timeout_seconds=5)


async def test_a_pair_without_refresh_token_is_burnt_by_its_id_alone() -> None:
    async with running_fake_drupal(6) as drupal:
        members = drupal.issue_pair("maya")
        token = str(members["access_token"])
        subject = unverified_claims(token).sub
        assert subject is not None

        await oauth_of(drupal).burn(
            UpstreamPair(
                access_token=token,
                refresh_token=None,
                life_seconds=300,
                subject=UpstreamSubject(subject),
            ),
            timeout_seconds=5,
        )

        assert drupal.control.live_tokens("maya")[0] == 0


async def test_every_refresh_has_a_connection_of_its_own() -> None:
    body = json.dumps({"access_token": jwt_of({"sub": "2"}), "expires_in": 300})
    async with scripted_site(http(200, body)) as site:
        oauth = DrupalOAuth(DrupalSite(base_url=site.url, client_id="c"))
        for _ in range(3):
            await oauth.refresh("r", timeout_seconds=5)

    assert site.connections == 3
    assert site.requests[0].startswith(b"POST /oauth/token ")
    assert b"grant_type=refresh_token" in site.requests[0]
    assert b"scope" not in site.requests[0]


@pytest.mark.parametrize("expires_in", ['"300"', "300.7", "null", '"soon"', "-1", "[]", "1e999"])
async def test_an_odd_expires_in_never_costs_the_pair(expires_in: str) -> None:
    token = jwt_of({"sub": 2})
    body = f'{{"access_token": "{token}", "expires_in": {expires_in}}}'
    async with scripted_site(http(200, body)) as site:
        oauth = DrupalOAuth(DrupalSite(base_url=site.url, client_id="c"))
        pair = await oauth.refresh("r", timeout_seconds=5)

    assert pair.life_seconds in (300, DEFAULT_LIFE_SECONDS)
    assert pair.subject == "2"


async def test_a_token_that_does_not_say_whose_it_is_is_looked_up_at_a_sign_in() -> None:
    token = http(200, '{"access_token": "opaque"}')
    async with scripted_site(token, http(200, '{"sub": 7}')) as site:
        oauth = DrupalOAuth(DrupalSite(base_url=site.url, client_id="c", redirect_uri=CALLBACK))
        pair = await redeem(oauth, "code")

    assert pair.subject == "7"
    assert b"GET /oauth/userinfo" in site.requests[1]
    assert b"Authorization: Bearer opaque" in site.requests[1]


@pytest.mark.parametrize(
    ("userinfo", "kind"),
    [
        (http(200, "{}"), UpstreamAnswerInvalidError),
        (http(200, "<html>"), UpstreamUnavailableError),
        (http(503, "under maintenance"), UpstreamUnavailableError),
    ],
)
async def test_nobody_is_signed_in_whose_name_the_site_does_not_tell(
    userinfo: bytes, kind: type[Exception]
) -> None:
    async with scripted_site(http(200, '{"access_token": "opaque"}'), userinfo) as site:
        oauth = DrupalOAuth(DrupalSite(base_url=site.url, client_id="c", redirect_uri=CALLBACK))
        with pytest.raises(kind):
            await redeem(oauth, "code")


async def test_at_a_refresh_an_unknown_subject_does_not_cost_the_pair() -> None:
    async with scripted_site(http(200, '{"access_token": "opaque"}')) as site:
        oauth = DrupalOAuth(DrupalSite(base_url=site.url, client_id="c"))
        pair = await oauth.refresh("r", timeout_seconds=5)

    assert pair.subject == ""
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "body", ['{"token_type": "Bearer"}', '{"access_token": "a b"}', '{"access_token": ["x"]}']
)
async def test_a_success_without_a_usable_token_is_an_answer_in_doubt(body: str) -> None:
    async with scripted_site(http(200, body)) as site:
        oauth = DrupalOAuth(DrupalSite(base_url=site.url, client_id="c"))
        with pytest.raises(UpstreamAnswerInvalidError) as caught:
            await oauth.refresh("r", timeout_seconds=5)

    assert caught.value.sent
    assert "a b" not in f"{caught.value!r}{caught.value.__context__!r}"
