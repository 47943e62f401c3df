"""The canary on a running stack: passes while all is well, and names what is not."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from scripts.canary_session import signed_in
from scripts.local_stack.client import REDIRECT_URI
from scripts.local_stack.queues import sdk_client
from scripts.local_stack.schedules import Schedule
from scripts.smoke_deployment import NEEDING_ACCOUNT, smoke
from shared.checks.canary_session import CanarySession
from shared.checks.catalogue import CHECKS
from shared.domain.tokens import TokenKind, mint
from tests.journeys.world import World, running_world
from tests.support.lambda_api import LambdaApi, running_lambda_api

SECRET = "canary"
LONG_AGO = 0.0
SOON_SECONDS = 600.0
ALL_PASS = {check.value: "passed" for check in CHECKS}


@dataclass(frozen=True)
class Canary:
    """The canary of a stack, and the secret that keeps its session."""

    world: World
    secrets: Any

    async def sign_in(self) -> CanarySession:
        """What an operator does once, with a browser that runs by itself."""
        async with self.world.person() as person:

            async def open_page(url: str) -> None:
                arrived_at = await person.sign_in(url, REDIRECT_URI)
                async with httpx2.AsyncClient() as http:
                    shown = await http.get(arrived_at)
                assert "can be closed" in shown.text

            return await signed_in(self.world.stack.addresses.mcp_url, open_page)

    def put(self, session: CanarySession) -> None:
        """Keep a session."""
        self.secrets.put_secret_value(SecretId=SECRET, SecretString=session.to_json())

    def kept(self) -> CanarySession:
        """The session that is kept."""
        text = self.secrets.get_secret_value(SecretId=SECRET)["SecretString"]
        return CanarySession.model_validate_json(text)

    async def release_check(self) -> dict[str, Any]:
        """What the hook of a deployment answers."""
        hook = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
        answer = await self.world.stack.emulator.invoke("release_check", hook)
        return dict(json.loads(answer) if isinstance(answer, bytes) else answer)

    async def round(self) -> dict[str, str]:
        """One tick's answer."""
        emulator = self.world.stack.emulator
        answer = await emulator.invoke("canary", Schedule("canary", 60.0).tick())
        return dict(json.loads(answer) if isinstance(answer, bytes) else answer)


@asynccontextmanager
async def running_canary(folder: Path, api: LambdaApi) -> AsyncIterator[Canary]:
    variables = {
        "CANARY_SECRET_ID": SECRET,
        "AWS_ENDPOINT_URL_LAMBDA": api.url,
        "AWS_ENDPOINT_URL_CODEDEPLOY": api.url,
    }
    async with running_world(folder, variables=variables) as world:
        api.stack = world.stack
        secrets = sdk_client("secretsmanager", world.stack.addresses.aws_url)
        secrets.create_secret(Name=SECRET, SecretString="{}")
        yield Canary(world, secrets)


async def passes_with_a_session_and_keeps_it_fresh(canary: Canary) -> None:
    session = await canary.sign_in()
    canary.put(session)
    assert await canary.round() == ALL_PASS

    canary.put(session.model_copy(update={"access_ends_at": time.time() + SOON_SECONDS}))
    answer = await canary.round()

    assert answer == {"session_refresh": "passed", **ALL_PASS}
    kept = canary.kept()
    assert kept.access_token != session.access_token
    assert kept.former_access_token == session.access_token
    assert kept.access_ends_at > kept.former_ends_at


async def tells_a_site_that_is_down_from_our_own_failure(canary: Canary) -> None:
    canary.world.site.control.search_is_down()
    answer = await canary.round()
    canary.world.site.control.search_is_down(None)

    assert answer == ALL_PASS | {"site_call": "failed"}


async def names_a_token_that_should_be_dead_and_is_not(canary: Canary) -> None:
    session = canary.kept()
    canary.put(
        session.model_copy(
            update={"former_access_token": session.access_token, "former_ends_at": LONG_AGO}
        )
    )

    answer = await canary.round()

    assert answer["former_bearer_refused"] == "bypassed"
    canary.put(session)


async def smoke_test_finds_nothing_wrong(canary: Canary) -> None:
    mcp_url = canary.world.stack.addresses.mcp_url

    lines = {line.name: line for line in await smoke(mcp_url, canary.kept())}
    as_a_stranger = {line.name: line.verdict for line in await smoke(mcp_url)}

    assert {name: line.verdict for name, line in lines.items()} == dict.fromkeys(lines, "ok")
    assert lines["challenge_header"].about.startswith("renamed")
    not_run = {name for name, verdict in as_a_stranger.items() if verdict == "NOT RUN"}
    assert not_run == {check.value for check in NEEDING_ACCOUNT} | {"empty_answers_end"}
    assert {*as_a_stranger.values()} == {"ok", "NOT RUN"}


async def names_a_session_that_is_over(canary: Canary) -> None:
    session = canary.kept()
    canary.put(
        session.model_copy(
            update={
                "refresh_token": SecretStr(mint(TokenKind.REFRESH)),
                "access_token": SecretStr(mint(TokenKind.ACCESS)),
                "access_ends_at": LONG_AGO,
            }
        )
    )

    answer = await canary.round()

    assert answer["session_refresh"] == answer["tool_call"] == answer["site_call"] == "failed"
    assert answer["resource_metadata"] == "passed"


async def lets_a_version_have_traffic_that_answers(canary: Canary, api: LambdaApi) -> None:
    answer = await canary.release_check()

    assert answer == {"passed": True, "checks": ALL_PASS}
    assert set(api.invoked) == {"mcp_endpoint", "oauth"}
    assert api.verdicts.pop() == {
        "deploymentId": "d-1",
        "lifecycleEventHookExecutionId": "e-1",
        "status": "Succeeded",
    }


async def stops_no_release_for_the_site(canary: Canary, api: LambdaApi) -> None:
    canary.world.site.control.search_is_down()
    answer = await canary.release_check()
    canary.world.site.control.search_is_down(None)

    assert answer["checks"]["site_call"] == "failed"
    assert api.verdicts.pop()["status"] == "Succeeded"


async def keeps_traffic_from_a_version_that_is_not_well(canary: Canary, api: LambdaApi) -> None:
    api.raising.add("oauth")

    answer = await canary.release_check()

    assert not answer["passed"]
    oauth = {"server_metadata", "oauth_lives", "consent_page"}
    assert answer["checks"] == ALL_PASS | dict.fromkeys(oauth, "unreachable")
    assert api.verdicts.pop()["status"] == "Failed"


@pytest.mark.timeout(180)
async def test_both_checkers_pass_while_all_is_well_and_tell_what_is_not(
    tmp_path: Path,
) -> None:
    async with running_lambda_api() as api, running_canary(tmp_path, api) as canary:
        await passes_with_a_session_and_keeps_it_fresh(canary)
        await tells_a_site_that_is_down_from_our_own_failure(canary)
        await names_a_token_that_should_be_dead_and_is_not(canary)
        await lets_a_version_have_traffic_that_answers(canary, api)
        await stops_no_release_for_the_site(canary, api)
        await keeps_traffic_from_a_version_that_is_not_well(canary, api)
        await smoke_test_finds_nothing_wrong(canary)
        await names_a_session_that_is_over(canary)
