import asyncio
import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from tests.integration.fake_drupal.people import refresh, rpc


def unverified_claims(token: object) -> dict[str, Any]:
    payload = str(token).split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def test_claims_are_those_of_the_dialect(either_site: RunningFakeDrupal) -> None:
    claims = unverified_claims(either_site.issue_pair("maya")["access_token"])
    older = either_site.site.dialect.number == 5

    assert claims["sub"] == "2"
    assert claims["aud"] == either_site.client.client_id
    assert isinstance(claims["exp"], float)
    assert len(claims["jti"]) == 80
    assert claims.get("iss") == (None if older else "https://127.0.0.1/")
    expected = ["member", "authenticated"] if older else list(either_site.scopes)
    assert claims["scope"] == expected


async def test_access_tokens_verify_with_the_published_key_which_has_no_id(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    [key] = (await http.get(f"{site.url}/oauth/jwks")).json()["keys"]
    token = str(site.issue_pair("maya")["access_token"])
    lenient = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    verified = jwt.decode(token, RSAKey.import_key(key), registry=lenient)

    assert set(key) == {"kty", "n", "e"}
    assert set(verified.header) == {"typ", "alg", "jti"}
    assert verified.claims["sub"] == "2"


async def test_a_refresh_kills_the_old_pair_at_once(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    old = either_site.issue_pair("maya")
    new = (await refresh(either_site, http, old["refresh_token"])).json()

    assert (await rpc(either_site, http, old["access_token"], "public.ping")).status_code == 401
    assert (await rpc(either_site, http, new["access_token"], "public.ping")).status_code == 200
    assert either_site.control.live_tokens("maya") == (1, 1)


async def test_of_two_refreshes_at_the_same_time_one_loses_and_the_winner_lives_on(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    old = either_site.issue_pair("maya")
    gate = either_site.control.hold(route="token", times=2)
    both = [asyncio.create_task(refresh(either_site, http, old["refresh_token"])) for _ in range(2)]
    await either_site.control.wait_for_requests("token", 2)
    gate.release()
    answers = sorted(await asyncio.gather(*both), key=lambda answer: answer.status_code)
    older = either_site.site.dialect.number == 5

    assert [answer.status_code for answer in answers] == [200, 401 if older else 400]
    assert answers[1].json()["error"] == ("invalid_request" if older else "invalid_grant")
    alive = await rpc(either_site, http, answers[0].json()["access_token"], "public.ping")
    assert alive.status_code == 200


async def test_with_the_replay_switch_a_used_refresh_token_gets_the_same_answer_for_a_while(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    site.control.set(refresh_replay_seconds=30)
    old = site.issue_pair("maya")["refresh_token"]
    first = await refresh(site, http, old)
    second = await refresh(site, http, old)
    site.control.advance(31)
    third = await refresh(site, http, old)

    assert first.json() == second.json()
    assert third.json()["hint"] == "Token has been revoked"


async def test_a_blocked_person_still_refreshes_but_every_call_is_refused(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = either_site.issue_pair("maya")
    either_site.control.block_user("maya")
    new = await refresh(either_site, http, pair["refresh_token"])
    call = await rpc(either_site, http, new.json()["access_token"], "public.ping")

    assert new.status_code == 200
    assert call.status_code == 401


async def test_losing_the_member_role_kills_access_tokens_and_then_shows_less(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    control = either_site.control
    pair = either_site.issue_pair("maya")
    members_only = next(i for i in either_site.site.content.values() if i.member_only).content_id
    before = await rpc(either_site, http, pair["access_token"], "tutorial.get", id=members_only)
    control.set_roles("maya", "lapsed")
    stale = await rpc(either_site, http, pair["access_token"], "tutorial.get", id=members_only)
    new = (await refresh(either_site, http, pair["refresh_token"])).json()
    after = await rpc(either_site, http, new["access_token"], "tutorial.get", id=members_only)

    assert "result" in before.json()
    assert stale.status_code == 401
    assert after.json()["error"]["data"] == f"Access denied to node {members_only}"


async def test_a_switched_subject_shows_up_at_the_next_refresh(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = site.issue_pair("maya")
    site.control.switch_subject("maya", "felix")
    new = (await refresh(site, http, pair["refresh_token"])).json()

    assert unverified_claims(new["access_token"])["sub"] == "3"


@pytest.mark.parametrize("told", [60, 300, -1, "300", 1e12])
async def test_the_life_told_to_clients_can_be_any_nonsense(
    site: RunningFakeDrupal, told: float | str
) -> None:
    site.control.set(expires_in=told)

    assert site.issue_pair("maya")["expires_in"] == told


async def test_the_life_told_to_clients_can_be_missing(site: RunningFakeDrupal) -> None:
    site.control.set(expires_in="missing")

    assert "expires_in" not in site.issue_pair("maya")


async def test_access_tokens_expire_by_the_site_s_clock(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    site.control.set(access_token_seconds=60)
    token = site.issue_pair("maya")["access_token"]
    before = await rpc(site, http, token, "public.ping")
    site.control.advance(61)
    after = await rpc(site, http, token, "public.ping")

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_restart_keeps_tokens_consents_and_accounts(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    async with running_fake_drupal(6, data_dir=tmp_path) as site:
        pair = site.issue_pair("maya")
        site.control.set_roles("felix", "member")
    async with running_fake_drupal(6, data_dir=tmp_path) as site:
        call = await rpc(site, http, pair["access_token"], "public.ping")
        new = await refresh(site, http, pair["refresh_token"])

        assert site.control.account("felix").roles == ("member",)
    assert (call.status_code, new.status_code) == (200, 200)


@pytest.mark.parametrize("posted", ["access_token", "refresh_token"])
async def test_revocation_answers_200_and_does_nothing_unless_it_is_given_the_jti(
    site: RunningFakeDrupal, http: httpx.AsyncClient, posted: str
) -> None:
    pair = site.issue_pair("maya")
    credentials = {"client_id": site.client.client_id, "client_secret": site.client.secret or ""}
    useless = await http.post(
        f"{site.url}/oauth/revoke", data={**credentials, "token": str(pair[posted])}
    )
    alive = await rpc(site, http, pair["access_token"], "public.ping")
    jti = unverified_claims(pair["access_token"])["jti"]
    await http.post(f"{site.url}/oauth/revoke", data={**credentials, "token": jti})
    dead = await rpc(site, http, pair["access_token"], "public.ping")

    assert (useless.status_code, useless.content) == (200, b"")
    assert (alive.status_code, dead.status_code) == (200, 401)
