"""Requests that run out of the function's own time are still answered by us."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import httpx2
import psycopg
import pytest

from functions.oauth.deadline import LAST_WORDS_SECONDS, in_request_time
from shared.discovery.security_headers import security_headers
from shared.domain.grants import UpstreamPair
from shared.observability.request_context import begin_request
from tests.integration.oauth.driver import Driver, onward

SHORT_SECONDS = 0.3
"""What is left for the work itself."""


class Turnstile:
    """The site's token endpoint, at which nobody ever comes through."""

    async def redeem_code(self, code: str, **_: object) -> UpstreamPair:
        await asyncio.Event().wait()
        raise AssertionError(code)


async def _callback(
    driver: Driver, _: psycopg.Connection[Any], patch: pytest.MonkeyPatch
) -> httpx2.Response:
    await driver.register()
    await driver.authorize()
    location = onward(await driver.decide())
    patch.setattr(driver.upstream, "redeem_code", Turnstile().redeem_code)
    with _hurried():
        return await driver.return_from_site(location)


async def _revocation(
    driver: Driver, admin: psycopg.Connection[Any], _: pytest.MonkeyPatch
) -> httpx2.Response:
    tokens = await driver.tokens()
    with admin.transaction(), _hurried():
        admin.execute("SELECT 1 FROM app.grants FOR UPDATE")
        return await driver.revoke(tokens["access_token"])


def _hurried() -> contextlib.AbstractContextManager[object]:
    return begin_request(function="oauth", remaining_seconds=LAST_WORDS_SECONDS + SHORT_SECONDS)


@pytest.mark.parametrize(
    ("ask", "kind"), [(_callback, "text/html; charset=utf-8"), (_revocation, "application/json")]
)
async def test_the_answer_at_the_deadline_wears_the_security_headers_and_says_try_again(
    ask: Callable[..., Any],
    kind: str,
    driver: Driver,
    database_admin: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = await ask(driver, database_admin, monkeypatch)

    assert (answer.status_code, answer.headers["content-type"]) == (503, kind)
    assert answer.headers["retry-after"] == "5"
    own_policy = {"content-security-policy"} if kind.startswith("text/html") else set()
    for name, value in security_headers(https=True).items():
        assert answer.headers[name] == value or name in own_policy, name
    if not own_policy:
        body = answer.json()
        assert (body["error"], body["code"]) == ("temporarily_unavailable", "deadline_exceeded")


async def test_a_timeout_of_the_works_own_is_no_deadline() -> None:
    with begin_request(function="oauth", remaining_seconds=60), pytest.raises(TimeoutError):
        async with in_request_time():
            raise TimeoutError
