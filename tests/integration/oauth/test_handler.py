"""The function as Lambda runs it: real runtime, real handler, events of payload format 2.0."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from functions.oauth.browser_cookie import COOKIE_NAME
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec
from tests.integration.oauth.driver import FORMER_ORIGIN_SECRET, MCP_URL, ORIGIN_SECRET
from tests.integration.oauth.upstream_stub import SITE
from tests.support.lambda_emulation import logged

EVENTS = Path(__file__).resolve().parents[3] / "events" / "oauth"
EXPECTED: dict[str, tuple[int, str]] = {
    "authorize_unknown_client": (400, "text/html; charset=utf-8"),
    "callback_foreign_state": (400, "text/html; charset=utf-8"),
    "health": (200, "application/json"),
    "metadata": (200, "application/json"),
    "preflight": (200, "application/json"),
    "register": (201, "application/json"),
    "revoke_unknown_client": (401, "application/json"),
    "token_repeated_parameter": (400, "application/json"),
    "token_unknown_client": (401, "application/json"),
}


def environment(**changes: str) -> dict[str, str]:
    """All that the function reads."""
    return {
        "STAGE": "local",
        "ISSUER_URL": "http://localhost:8701",
        "MCP_URL": MCP_URL,
        "DRUPAL_BASE_URL": SITE,
        "DRUPAL_CLIENT_ID": "drupalize-mcp",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        **changes,
    }


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulator]:
    """Lambda."""
    async with Emulator(log_folder=tmp_path) as running:
        yield running


@pytest.fixture
async def url(emulator: Emulator, role_url: str, kms_endpoint: str, kms_key_id: str) -> str:
    """The function's URL, started from a snapshot."""
    settings = environment(
        DATABASE_URL=role_url,
        KMS_KEY_ID=kms_key_id,
        AWS_ENDPOINT_URL=kms_endpoint,
        ORIGIN_SECRET=f"{ORIGIN_SECRET} {FORMER_ORIGIN_SECRET}",
    )
    return await emulator.start(
        FunctionSpec(
            name="oauth",
            handler="functions.oauth.handler.handler",
            environment=settings,
            snap_start=True,
        )
    )


async def test_events_of_every_endpoint_are_answered_by_one_warm_environment(
    emulator: Emulator, url: str, database_admin: psycopg.Connection[Any]
) -> None:
    for name, (status, content_type) in EXPECTED.items():
        event = json.loads((EVENTS / f"{name}.json").read_text())

        answer = await emulator.invoke("oauth", event)

        assert answer["statusCode"] == status, name
        assert answer["headers"]["content-type"] == content_type
        assert answer["headers"]["x-content-type-options"] == "nosniff"
        assert answer["isBase64Encoded"] is False
    assert len(emulator.pids("oauth")) == 1
    assert database_admin.execute("SELECT count(*) FROM app.clients").fetchone() == (1,)


async def test_the_function_url_carries_cookies_and_redirects_both_ways(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as http:
        uri = "http://127.0.0.1:33418/callback"
        client = (await http.post("/register", json={"redirect_uris": [uri]})).json()
        page = await http.get(
            "/authorize",
            params={
                "response_type": "code",
                "client_id": client["client_id"],
                "redirect_uri": uri,
                "code_challenge": "c" * 43,
                "code_challenge_method": "S256",
            },
        )
        unknown = await http.get(f"/authorize?client_id={client['client_id']}")

    assert page.status_code == 200
    assert page.headers["set-cookie"].startswith(f"{COOKIE_NAME}=dmcp_bb_")
    assert "Allow and continue" in page.text
    assert unknown.status_code == 400


@pytest.mark.usefixtures("url")
async def test_a_caller_is_who_the_platform_or_the_proven_edge_says(
    emulator: Emulator, database_admin: psycopg.Connection[Any]
) -> None:
    event = json.loads((EVENTS / "token_unknown_client.json").read_text())
    caller = event["requestContext"]["http"]["sourceIp"]
    viewer = "198.51.100.7"

    async def status(address: str, **headers: str) -> int:
        """The status of a wrong request with what the edge, or a liar, says of its address."""
        said = {"x-viewer-address": address, **headers}
        answer = await emulator.invoke("oauth", {**event, "headers": {**event["headers"], **said}})
        return int(answer["statusCode"])

    use_up_refusals(database_admin, caller)

    assert await status(viewer) == 429
    assert await status(viewer, **{"x-origin-secret": "guessed"}) == 429
    for secret in (ORIGIN_SECRET, FORMER_ORIGIN_SECRET):
        assert await status(viewer, **{"x-origin-secret": secret}) == 401
        assert await status(caller, **{"x-origin-secret": secret}) == 429
        assert secret not in logged(emulator, "oauth")


def use_up_refusals(admin: psycopg.Connection[Any], address: str) -> None:
    """Leave nothing of an address's allowance for an hour."""
    admin.execute(
        "INSERT INTO app.rate_limits VALUES (sha256(%s), app.now() + interval '1 hour')",
        (f"refused_by_address\n{address}".encode(),),
    )


async def test_no_secret_of_a_request_reaches_the_log(emulator: Emulator, url: str) -> None:
    marker = "dmcp_rt_" + "S" * 43
    async with httpx2.AsyncClient(base_url=url) as http:
        await http.post(
            "/token",
            data={"grant_type": "refresh_token", "client_id": "x", "refresh_token": marker},
        )
        await http.get(
            f"/oauth/callback?code=very-private-code&state={marker}",
            headers={"cookie": f"{COOKIE_NAME}=dmcp_bb_{'S' * 43}"},
        )

    lines = logged(emulator, "oauth")
    assert "invocation ended" in lines
    assert "S" * 43 not in lines
    assert "very-private-code" not in lines


async def test_settings_that_cannot_be_read_are_answered_in_json(
    emulator: Emulator, kms_endpoint: str
) -> None:
    settings = environment(
        DATABASE_URL="secret:nowhere#oauth", KMS_KEY_ID="none", AWS_ENDPOINT_URL=kms_endpoint
    )
    await emulator.start(
        FunctionSpec(name="lost", handler="functions.oauth.handler.handler", environment=settings)
    )

    event = json.loads((EVENTS / "token_unknown_client.json").read_text())
    answer = await emulator.invoke("lost", event)

    assert answer["statusCode"] == 503
    assert json.loads(answer["body"])["error"] == "temporarily_unavailable"
    assert int(answer["headers"]["retry-after"]) > 0
