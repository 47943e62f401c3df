"""Every answer of the authorization server wears the security headers, whoever made it."""

from dataclasses import replace

import httpx2
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from functions.oauth.envelope import OPERATIONS
from functions.oauth.last_resort import unanswerable
from shared.discovery.security_headers import security_headers
from shared.domain.health import LIVE_PATH
from shared.errors.base import ServiceError
from tests.integration.oauth.driver import ISSUER, Driver

METHODS = ["GET", "HEAD", "POST", "OPTIONS", "DELETE"]
PATHS = [
    *OPERATIONS,
    LIVE_PATH,
    "/",
    "/nowhere",
    "/.well-known/oauth-authorization-server",
    "/.well-known/unknown",
]
OWN = {"content-security-policy", "cache-control"}
"""What an answer may replace."""


async def test_every_route_and_method_wears_the_security_headers(
    driver: Driver,
) -> None:
    fixed = {k: v for k, v in security_headers(https=True).items() if k not in OWN}

    for path in PATHS:
        for method in METHODS:
            answer = await driver.http.request(method, path)

            worn = {name: answer.headers.get(name) for name in fixed}
            assert worn == fixed, (method, path)
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'"), (method, path)
            assert "frame-ancestors 'none'" in policy, (method, path)
            kept = "public, max-age=300" if path.startswith("/.well-known/") else "no-store"
            assert answer.headers["cache-control"] in {kept, "no-store"}, (method, path)


async def test_a_crash_wears_them_too(driver: Driver, dependencies: Dependencies) -> None:
    await driver.register()
    broken = replace(dependencies, database=None)  # type: ignore[arg-type] # so that it crashes
    transport = httpx2.ASGITransport(app=create_app(broken))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        driver.http = http
        page = await driver.authorize()
        token = await driver.refresh("dmcp_rt_" + "A" * 43)

    assert (page.status_code, token.status_code) == (500, 503)
    for answer in (page, token):
        for name in security_headers(https=True):
            assert answer.headers[name], name


@pytest.mark.parametrize("https", [True, False])
async def test_the_last_resort_wears_them_and_promises_https_only_where_there_is_any(
    https: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    headers = unanswerable(ServiceError(), https=https)["headers"]

    assert dict(security_headers(https=https)).items() <= headers.items()
    assert ("strict-transport-security" in headers) is https


async def test_plain_http_never_promises_https(driver: Driver, dependencies: Dependencies) -> None:
    local = replace(dependencies, issuer="http://localhost:8711")
    transport = httpx2.ASGITransport(app=create_app(local))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        answer = await http.get("/health/live")

    assert "strict-transport-security" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
