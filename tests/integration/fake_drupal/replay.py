"""Bringing the fake site into a recorded situation, sending the request, and comparing shapes.

Never looks into the site for the outcome; only the answer counts.
"""

import json
import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.integration.fake_drupal.fixture_site import browser_cookie, recorded_site
from tests.integration.fake_drupal.roles import ROLES, Cast, Stage
from tests.integration.fake_drupal.shapes import shape_of_response
from tests.integration.fake_drupal.situations import SITUATIONS

# Building a TLS context per client costs more than the whole exchange, and nothing here is TLS.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
FOLDER = Path(__file__).parents[2] / "support" / "recordings"
ASKED_BEFORE = {
    "alice asked the same before": "<access token>",
    "bob asked the same before": "<access token of bob>",
}


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded exchange, reduced to roles and shapes."""

    case: str
    given: tuple[str, ...]
    then: tuple[str, ...]
    request: dict[str, Any]
    response: dict[str, Any]
    cut: bool


def recordings(dialect: int) -> list[Recording]:
    """All recordings of a dialect."""
    lines = (FOLDER / f"simple_oauth_{dialect}.jsonl").read_text().splitlines()
    return [_recording(json.loads(line)) for line in lines]


def _recording(line: dict[str, Any]) -> Recording:
    return Recording(
        case=line["case"],
        given=tuple(line.get("given", ())),
        then=tuple(line.get("then", ())),
        request=line["request"],
        response=line["response"],
        cut=line.get("cut", False),
    )


async def replay(dialect: int, recording: Recording) -> dict[str, Any]:
    """The shape of the fake's answer in the recorded situation."""
    async with (
        recorded_site(dialect) as running,
        httpx.AsyncClient(base_url=running.url, verify=NO_TLS) as http,
    ):
        stage = Stage(running, http)
        cast = Cast(stage)
        for name in recording.given:
            await SITUATIONS[name](stage, cast)
        request = await _request(stage, cast, recording.request)
        for name in recording.then:
            if name in ASKED_BEFORE:
                earlier = {**recording.request, "authorization": f"Bearer {ASKED_BEFORE[name]}"}
                await http.send(await _request(stage, cast, earlier))
            else:
                await SITUATIONS[name](stage, cast)
        return shape_of_response(await http.send(request))


async def _request(stage: Stage, cast: Cast, recorded: dict[str, Any]) -> httpx.Request:
    headers = dict(recorded.get("headers", {}))
    if "authorization" in recorded:
        headers["Authorization"] = await _played(cast, recorded["authorization"])
    if "basic" in recorded:
        headers["Authorization"] = await _basic(cast, recorded["basic"])
    if recorded.get("browser"):
        headers["Cookie"] = browser_cookie()
    return stage.http.build_request(
        recorded["method"],
        recorded["path"],
        params=await _all_played(cast, recorded.get("query")),
        data=await _all_played(cast, recorded.get("form")),
        json=await _all_played(cast, recorded.get("json")),
        content=recorded.get("text"),
        headers=headers,
    )


async def _basic(cast: Cast, role: str) -> str:
    value = str(await cast.value(role))
    pair = value if ":" in value else f"mcp-conf:{value}"
    return "Basic " + b64encode(pair.encode()).decode()


async def _all_played(cast: Cast, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: await _all_played(cast, member) for key, member in value.items()}
    if isinstance(value, list):
        return [await _all_played(cast, member) for member in value]
    return await _played(cast, value) if isinstance(value, str) else value


async def _played(cast: Cast, text: str) -> Any:
    if text in ROLES:
        return await cast.value(text)
    for role in ROLES:
        if role in text:
            text = text.replace(role, str(await cast.value(role)))
    return text


def deviation(recording: Recording, actual: dict[str, Any]) -> str | None:
    """How the answer differs; a recording that was cut short is compared as far as it goes."""
    expected = recording.response
    if recording.cut:
        actual = {**actual, "body": _as_far_as(expected["body"], actual["body"])}
    if actual == expected:
        return None
    keys = [key for key in {**expected, **actual} if expected.get(key) != actual.get(key)]
    told = "; ".join(f"{key}: {expected.get(key)!r} != {actual.get(key)!r}" for key in keys)
    return f"{recording.case}: {told}"


def _as_far_as(expected: Any, actual: Any) -> Any:
    """Only the parts of the answer that the recording got hold of."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {key: _as_far_as(expected[key], actual.get(key)) for key in expected}
    return actual
