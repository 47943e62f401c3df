from typing import Any

import httpx
import pytest

from scripts.fake_drupal.running import RunningFakeDrupal
from tests.integration.fake_drupal.people import refresh, rpc


async def control(
    site: RunningFakeDrupal, http: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> httpx.Response:
    return await http.post(f"{site.url}/_control{path}", json=body)


async def test_faults_can_be_planned_and_cleared_over_http(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    await control(site, http, "/faults", {"kind": "error_json", "route": "jsonrpc", "times": 9})
    first = await http.post(f"{site.url}/jsonrpc")
    pending = (await http.get(f"{site.url}/_control/faults")).json()
    await control(site, http, "/faults/clear", {})
    second = await http.post(f"{site.url}/jsonrpc")

    assert (first.status_code, second.status_code) == (500, 401)
    assert pending[0]["times"] == 8


async def test_people_can_be_changed_over_http(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = site.issue_pair("felix")
    change = {"name": "felix", "roles": ["member"], "switch_subject_to": "maya"}
    await control(site, http, "/users", change)
    dead = await rpc(site, http, pair["access_token"], "public.ping")
    new = (await refresh(site, http, pair["refresh_token"])).json()
    ping = await rpc(site, http, new["access_token"], "public.ping")
    await control(site, http, "/users", {"name": "maya", "blocked": True})
    blocked = await rpc(site, http, new["access_token"], "public.ping")

    assert dead.status_code == 401
    assert ping.json()["result"]["uid"] == 2
    assert blocked.status_code == 401


async def test_switches_clients_and_the_clock_can_be_changed_over_http(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    changed = await control(site, http, "/behaviours", {"expires_in": "missing"})
    client = {"client_id": "other", "redirect_uris": ["https://other.example/cb"]}
    await control(site, http, "/clients", client)
    pair = site.issue_pair("maya")
    await control(site, http, "/clock", {"seconds": 301})
    late = await rpc(site, http, pair["access_token"], "public.ping")

    assert changed.json()["expires_in"] == "missing"
    assert site.site.store.clients.get("other") is not None
    assert "expires_in" not in pair
    assert late.status_code == 401


async def test_a_reset_restores_the_start_and_keeps_tokens(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    pair = site.issue_pair("lena")
    await control(site, http, "/behaviours", {"maintenance": True})
    await control(site, http, "/reset", {})
    ping = await rpc(site, http, pair["access_token"], "public.ping")

    assert ping.status_code == 200
    assert site.control.account("lena").roles == ("lapsed",)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/faults", {"kind": "nonsense"}, 400),
        ("/behaviours", {"nonsense": True}, 400),
        ("/behaviours", {"refresh_replay_seconds": 61}, 400),
        ("/users", {"name": "nobody", "save": True}, 400),
        ("/nonsense", {}, 404),
    ],
)
async def test_a_control_that_is_not_understood_is_refused(
    site: RunningFakeDrupal,
    http: httpx.AsyncClient,
    path: str,
    body: dict[str, Any],
    status: int,
) -> None:
    answer = await control(site, http, path, body)

    assert answer.status_code == status
    assert "error" in answer.json()


async def test_the_list_of_controls_and_the_users_are_shown_without_passwords(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    listed = (await http.get(f"{site.url}/_control/")).json()
    users = await http.get(f"{site.url}/_control/users")

    assert "/faults" in listed["POST"]
    assert "maya" in users.text
    assert "-demo" not in users.text
