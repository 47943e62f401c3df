"""Every code that only the authorization server raises, raised by the request that meets it."""

import html
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from shared.errors.catalogue import CATALOGUE, ErrorCode
from tests.integration.oauth.driver import Driver, onward, query
from tests.integration.oauth.test_document_clients import document_host
from tests.integration.oauth.visitor import Visitor

Way = Callable[[Driver], Awaitable[httpx2.Response]]


async def _foreign_browser(driver: Driver) -> httpx2.Response:
    await driver.register()
    await driver.authorize()
    sent = await driver.decide()
    driver.cookie = ""
    return await driver.return_from_site(onward(sent))


async def _denied(driver: Driver) -> httpx2.Response:
    await driver.register()
    await driver.authorize()
    return await driver.decide("deny")


async def _authorized_with(driver: Driver, **changes: str) -> httpx2.Response:
    await driver.register()
    return await driver.authorize(**changes)


async def _wider_refresh(driver: Driver) -> httpx2.Response:
    await driver.register()
    answer = await driver.redeem(await driver.sign_in(scope="tutorial:read"))
    presented = answer.json()["refresh_token"]
    return await driver.refresh(presented, scope="tutorial:read tutorial:search")


async def _made_up_code(driver: Driver) -> httpx2.Response:
    await driver.register()
    return await driver.redeem("made-up")


async def _site_refuses(driver: Driver) -> httpx2.Response:
    await driver.register()
    await driver.authorize()
    sent = await driver.decide()
    return await driver.return_from_site(onward(sent), code="made-up")


WAYS: dict[ErrorCode, Way] = {
    ErrorCode.SIGN_IN_EXPIRED: lambda d: d.open(
        "/oauth/callback", {"code": "x", "state": f"dmcp_us_{'A' * 43}"}
    ),
    ErrorCode.SIGN_IN_OTHER_BROWSER: _foreign_browser,
    ErrorCode.SIGN_IN_REFUSED_UPSTREAM: _site_refuses,
    ErrorCode.ACCESS_DENIED: _denied,
    ErrorCode.INVALID_REQUEST: lambda d: d.token({"client_id": "x"}),
    ErrorCode.INVALID_CLIENT: lambda d: d.token(
        {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "nobody"}
    ),
    ErrorCode.UNKNOWN_CLIENT: lambda d: d.authorize(client_id="nobody"),
    ErrorCode.INVALID_REDIRECT_URI: lambda d: _authorized_with(
        d, redirect_uri="https://elsewhere.example/callback"
    ),
    ErrorCode.INVALID_CLIENT_METADATA: lambda d: d.http.post("/register", json=[]),
    ErrorCode.CLIENT_DOCUMENT_UNAVAILABLE: lambda d: d.authorize(
        client_id="https://127.0.0.1:1/client.json"
    ),
    ErrorCode.INVALID_GRANT: _made_up_code,
    ErrorCode.INVALID_SCOPE: _wider_refresh,
    ErrorCode.INVALID_TARGET: lambda d: _authorized_with(d, resource="https://other.example/mcp"),
    ErrorCode.UNSUPPORTED_GRANT_TYPE: lambda d: d.token(
        {"grant_type": "password", "client_id": "x"}
    ),
    ErrorCode.UNSUPPORTED_RESPONSE_TYPE: lambda d: _authorized_with(d, response_type="token"),
    ErrorCode.METHOD_NOT_ALLOWED: lambda d: d.http.get("/token"),
    ErrorCode.NOT_FOUND: lambda d: d.http.get("/nowhere"),
    ErrorCode.BODY_TOO_LARGE: lambda d: d.http.post(
        "/register", json={"client_name": "x" * 70_000}
    ),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: lambda d: d.http.post("/token", content=b"x"),
}


def told(answer: httpx2.Response) -> str:
    """What the answer says happened: as JSON, as a page, or on the way to the client."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        return str(answer.json()["error_description"])
    if answer.status_code in {200, 303}:
        return query(onward(answer))["error_description"]
    return " ".join(html.unescape(answer.text).split())


@pytest.mark.parametrize("code", WAYS, ids=lambda code: code.value)
async def test_a_code_is_raised_by_the_request_that_meets_it(
    driver: Driver, code: ErrorCode
) -> None:
    answer = await WAYS[code](driver)

    assert CATALOGUE[code].message in html.unescape(told(answer))


async def test_a_document_that_is_not_acceptable_is_told_so(driver: Driver) -> None:
    async with document_host(driver, client_id="https://somebody-else.example/client.json"):
        page = await driver.authorize()

    assert CATALOGUE[ErrorCode.CLIENT_DOCUMENT_INVALID].message in told(page)


async def test_the_account_page_raises_its_own(maya: Visitor) -> None:
    unknown = await maya.get("/oauth/callback", code="x", state=f"dmcp_as_{'A' * 43}")
    refused = await maya.come_back(await maya.post("sign_in"), code="")
    await maya.sign_in()
    maya.page = ""
    outdated = await maya.post("sign_out", proof="made-up")

    for answer, code in (
        (unknown, ErrorCode.ACCOUNT_SIGN_IN_EXPIRED),
        (refused, ErrorCode.ACCOUNT_SIGN_IN_REFUSED),
        (outdated, ErrorCode.ACCOUNT_FORM_EXPIRED),
    ):
        assert CATALOGUE[code].message in told(answer), code
