"""Abused parameters at every door: resources, PKCE, repetitions, sizes, bytes and odd names.

Each is refused as its table says, without a trace of it in the answer or in the log, and without a
redirect to anywhere but the client's own address.
"""

from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx2
import psycopg
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from shared.domain import pkce
from tests.integration.oauth.driver import FORM, LOOPBACK_REDIRECT, MCP_URL, VERIFIER, Driver, query
from tests.integration.oauth.echoes import assert_nothing_echoed, assert_stays_on_a_page, get_raw
from tests.support.redirect_abuse import CANARY

LARGE = CANARY * 10_000
"""100 KB."""
ON_A_PAGE = "on a page"
CHALLENGE = pkce.challenge_of(VERIFIER)

RESOURCES = [
    template.replace("{canary}", CANARY)
    for template in (
        "{canary}",
        "/{canary}",
        "//mcp.example/{canary}",
        "null{canary}",
        "https://{canary}.example/mcp",
        "https://mcp.example.{canary}/mcp",
        "https://{canary}.mcp.example/mcp",
        "https://{canary}@mcp.example/mcp",
        "https://mcp.example@{canary}/mcp",
        "https://mcp.example:443/mcp?{canary}",
        "https://mcp.example/mcp#{canary}",
        "https://mcp.example/mcp?{canary}",
        "https://mcp.example/mcp/{canary}",
        "https://mcp.example/{canary}/../mcp",
        "https://mcp.example/mcp/%2e%2e/{canary}",
        "https://mcp.example/mcp%00{canary}",
        "https://mcp.example/mcp%20{canary}",
        "https://mcp.example./mcp{canary}",
        "https://mcp..example/mcp{canary}",
        "HTTPS://mcp.example/mcp{canary}",
        "https://MCP.example/mcp{canary}",
        "http://mcp.example/mcp{canary}",
        "https://127.0.0.1/{canary}",
        "https://2130706433/{canary}",
        "https://m\u0441p.example/mcp{canary}",
        "https:\\\\mcp.example\\mcp{canary}",
        "javascript:{canary}",
        "urn:{canary}",
        "https://mcp.example/mcp https://{canary}.example/",
        "https://mcp.example/" + "{canary}" * 300,
    )
]

WRONG_PKCE: dict[str, dict[str, str | None]] = {
    "none": {"code_challenge": None, "code_challenge_method": None},
    "method only": {"code_challenge": None},
    "challenge only": {"code_challenge_method": None},
    "empty challenge": {"code_challenge": ""},
    "empty method": {"code_challenge_method": ""},
    "plain": {"code_challenge_method": "plain", "code_challenge": VERIFIER},
    "lower case": {"code_challenge_method": "s256"},
    "white space": {"code_challenge_method": "S256 "},
    "unknown method": {"code_challenge_method": CANARY},
    "two methods": {"code_challenge_method": "S256 plain"},
    "short": {"code_challenge": CHALLENGE[:42]},
    "long": {"code_challenge": CHALLENGE + "A"},
    "as long as a verifier": {"code_challenge": CANARY.ljust(128, "A")},
    "padded": {"code_challenge": CHALLENGE + "="},
    "padded in its place": {"code_challenge": CHALLENGE[:42] + "="},
    "plain base64": {"code_challenge": CHALLENGE[:42] + "+"},
    "hexadecimal": {"code_challenge": "0" * 64},
    "dots": {"code_challenge": CHALLENGE[:42] + "."},
    "no ASCII": {"code_challenge": CHALLENGE[:42] + "\u0430"},
    "full width": {"code_challenge": "\uff21" * 43},
    "with a canary": {"code_challenge": CANARY},
}

WRONG_VERIFIERS: dict[str, tuple[str | None, str]] = {
    "missing": (None, "invalid_request"),
    "empty": ("", "invalid_request"),
    "line break": (VERIFIER + "\n", "invalid_request"),
    "short": (VERIFIER[:42], "invalid_grant"),
    "long": (CANARY.ljust(129, "v"), "invalid_grant"),
    "another": (CANARY.ljust(43, "v"), "invalid_grant"),
    "the challenge": (CHALLENGE, "invalid_grant"),
    "padded": (VERIFIER + "=", "invalid_grant"),
    "alphabet": (VERIFIER[:42] + "+", "invalid_grant"),
    "no ASCII": ("\u0432" * 43, "invalid_grant"),
    "upper case": (VERIFIER.upper(), "invalid_grant"),
}

AUTHORIZE_REPEATED = {
    "client_id": ON_A_PAGE,
    "redirect_uri": ON_A_PAGE,
    "response_type": "invalid_request",
    "response_mode": "invalid_request",
    "state": "invalid_request",
    "scope": "invalid_request",
    "code_challenge": "invalid_request",
    "code_challenge_method": "invalid_request",
    "prompt": "invalid_request",
    "made_up": "invalid_request",
    "resource": "invalid_target",
}
AUTHORIZE_LARGE = {
    **dict.fromkeys(AUTHORIZE_REPEATED, "invalid_request"),
    "client_id": ON_A_PAGE,
    "redirect_uri": ON_A_PAGE,
    "resource": "invalid_target",
    "response_type": "unsupported_response_type",
}
IGNORED = {"prompt", "made_up"}
ODD_NAMES = [
    "{name}[]",
    "{name}[0]",
    "{name}[{name}]",
    "[{name}]",
    " {name}",
    "{name} ",
    "{name}\t",
    "{name}\x00",
    "\u200b{name}",
    "{name}\uff3b\uff3d",
    "",
]
REDEMPTION = (
    "grant_type",
    "code",
    "client_id",
    "redirect_uri",
    "code_verifier",
    "resource",
    "scope",
    "refresh_token",
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "made_up",
)
WRONG_METADATA = [
    '{"redirect_uris": ["URI"], "redirect_uris": ["https://CANARY.example/"]}',
    '{"redirect_uris": ["https://CANARY.example/"], "redirect_uris": ["URI"]}',
    '{"redirect_uris": ["URI"], "redirect\\u005furis": ["https://CANARY.example/"]}',
    '{"redirect_uris": ["URI"], "client_name": "a", "client_name": "CANARY"}',
    '{"redirect_uris": ["URI"], "made_up": {"a": 1, "a": "CANARY"}}',
    '{"redirect_uris": ["URI"], "grant_types": "CANARY"}',
    '{"redirect_uris": ["URI"], "grant_types": [{"CANARY": 1}]}',
    '{"redirect_uris": ["URI"], "grant_types": ["CANARY"]}',
    '{"redirect_uris": ["URI"], "response_types": ["CANARY"]}',
    '{"redirect_uris": ["URI"], "client_name": ["CANARY"]}',
    '{"redirect_uris": ["URI"], "scope": ["CANARY"]}',
    '{"redirect_uris": ["URI"], "token_endpoint_auth_method": {"CANARY": 1}}',
    '{"redirect_uris": ["URI"], "CANARY": NaN, "client_name": 1}',
    '{"redirect_uris[]": ["CANARY"]}',
    '{"redirect_uris": {"0": "CANARY"}}',
    '["CANARY"]',
    '"CANARY"',
    "redirect_uris=CANARY",
    '{"redirect_uris": ["CANARY"',
    '{"redirect_uris": ["URI"], "client_name": "CANARY\\ud800"}',
]
BAD_BYTES = [b"%ff", b"%c3%28", b"%ed%a0%80", b"%c0%af", b"%00", b"%0d%0a", b"%c2%85", b"\xff"]


@pytest.fixture
async def client(driver: Driver, caplog: pytest.LogCaptureFixture) -> Driver:
    """A client that hears of its faults at once, for its address is on the person's machine."""
    caplog.set_level("DEBUG")
    driver.redirect_uri = LOOPBACK_REDIRECT
    await driver.register()
    return driver


def assert_refused(
    answer: httpx2.Response, expected: str, log: pytest.LogCaptureFixture, row: object
) -> None:
    """On a page that leads nowhere, or told to the client at its own address."""
    if expected == ON_A_PAGE:
        assert_stays_on_a_page(answer)
    else:
        assert answer.status_code == 303, (row, answer.text)
        assert answer.headers["location"].startswith(f"{LOOPBACK_REDIRECT}?error="), row
        assert query(answer.headers["location"])["error"] == expected, row
    assert_nothing_echoed(answer, log)


def assert_back_channel_refused(
    answer: httpx2.Response, status: int, error: str, log: pytest.LogCaptureFixture, row: object
) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), (row, answer.text)
    assert_nothing_echoed(answer, log)


async def test_no_other_resource_is_authorized(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    for resource in RESOURCES:
        answer = await client.authorize(resource=resource)
        assert_refused(answer, "invalid_target", caplog, resource)


async def test_no_other_resource_gets_tokens(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    refresh_token = (await client.tokens())["refresh_token"]
    for resource in RESOURCES:
        answer = await client.refresh(refresh_token, resource=resource)
        assert_back_channel_refused(answer, 400, "invalid_target", caplog, resource)
    for resource in RESOURCES[::6]:
        answer = await client.redeem(await client.sign_in(), resource=resource)
        assert_back_channel_refused(answer, 400, "invalid_target", caplog, resource)

    assert (await client.refresh(refresh_token)).status_code == 200


async def test_no_other_challenge_is_taken(
    client: Driver, database_admin: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    for name, changes in WRONG_PKCE.items():
        answer = await client.authorize(**changes)
        assert_refused(answer, "invalid_request", caplog, name)

    assert database_admin.execute("SELECT count(*) FROM app.sign_ins").fetchone() == (0,)


async def test_no_other_verifier_redeems_a_code(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    for name, (verifier, error) in WRONG_VERIFIERS.items():
        code = await client.sign_in()
        answer = await client.redeem(code, code_verifier=verifier)
        assert_back_channel_refused(answer, 400, error, caplog, name)
        # A malformed request touches nothing; a wrong verifier uses the code up.
        again = await client.redeem(code)
        assert again.status_code == (200 if error == "invalid_request" else 400), name


@pytest.mark.parametrize("second", [CANARY, "", None], ids=["other", "empty", "same"])
async def test_no_parameter_of_an_authorization_request_counts_twice(
    client: Driver, second: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    for name, expected in AUTHORIZE_REPEATED.items():
        asked = {"response_mode": "query", "prompt": "login", "made_up": "1", **client.request()}
        pairs = [*asked.items(), (name, asked[name] if second is None else second)]
        answer = await client.open("/authorize", pairs)
        if name == "resource" and second == "":
            assert answer.status_code == 200  # a parameter without a value was not sent
            continue
        assert_refused(answer, expected, caplog, name)


async def test_no_parameter_of_a_token_request_counts_twice_or_from_the_address(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    code = await client.sign_in()
    form = redemption(client, code)
    for name in (name for name in REDEMPTION if name != "resource"):
        given = [*form.items(), *([] if name in form else [(name, CANARY)])]
        others = [pair for pair in given if pair[0] != name]
        for second in (CANARY, "", form.get(name, CANARY)):
            for answer in (
                await post(client, [*given, (name, second)]),
                await post(client, given, query={name: second}),
                await post(client, others, query={name: second}),
            ):
                assert_back_channel_refused(answer, 400, "invalid_request", caplog, name)

    assert (await client.redeem(code)).status_code == 200


async def test_two_resources_get_no_token(client: Driver, caplog: pytest.LogCaptureFixture) -> None:
    # Of them their own rule decides (RFC 8707 section 2.2), once the code is taken.
    for second in (CANARY, MCP_URL):
        form = redemption(client, await client.sign_in())
        answer = await post(client, [*form.items(), ("resource", second)])
        assert_back_channel_refused(answer, 400, "invalid_target", caplog, second)
    both = await post(client, list(form.items()), query={"resource": MCP_URL})
    assert_back_channel_refused(both, 400, "invalid_request", caplog, "in both places")


async def test_an_address_with_parameters_is_no_endpoint_of_the_back_channel(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/token", "/revoke"):
        answer = await client.http.post(f"{path}?x={CANARY}", data={"token": "x"})
        assert_back_channel_refused(answer, 400, "invalid_request", caplog, path)
    metadata = {"redirect_uris": [LOOPBACK_REDIRECT]}
    answer = await client.http.post(f"/register?redirect_uris={CANARY}", json=metadata)
    assert_back_channel_refused(answer, 400, "invalid_request", caplog, "/register")
    assert_stays_on_a_page(await client.http.post(f"/authorize?x={CANARY}", data={"decision": "x"}))


async def test_large_values_are_refused_at_the_authorization_endpoint(
    client: Driver, dependencies: Dependencies, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(dependencies)
    for name, expected in AUTHORIZE_LARGE.items():
        asked = urlencode({**client.request(), name: LARGE}).encode()
        assert_refused(await get_raw(app, "/authorize", asked), ON_A_PAGE, caplog, name)
        if name in IGNORED:
            continue
        asked = urlencode({**client.request(), name: LARGE[:12_000]}).encode()
        assert_refused(await get_raw(app, "/authorize", asked), expected, caplog, name)


async def test_large_values_are_refused_by_the_back_channel(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    code = await client.sign_in()
    for name in REDEMPTION:
        form = {**redemption(client, code), name: LARGE}
        answer = await post(client, list(form.items()))
        assert_back_channel_refused(answer, 413, "invalid_request", caplog, name)
    revoked = await client.http.post("/revoke", data={"token": LARGE, "client_id": "x"})
    assert_back_channel_refused(revoked, 413, "invalid_request", caplog, "/revoke")
    for name in ("client_name", "scope", "client_uri", "software_id", "made_up"):
        metadata = {"redirect_uris": [LOOPBACK_REDIRECT], name: LARGE}
        registered = await client.http.post("/register", json=metadata)
        assert_back_channel_refused(registered, 413, "invalid_request", caplog, name)

    assert (await client.redeem(code)).status_code == 200


async def test_bytes_that_are_no_text_are_refused(
    client: Driver, dependencies: Dependencies, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(dependencies)
    for bad in BAD_BYTES:
        for name in AUTHORIZE_REPEATED:
            value = CANARY.encode() + bad
            others = urlencode({**client.request(), name: ""}).encode()
            raw = others.replace(f"{name}=".encode(), f"{name}=".encode() + value, 1)
            assert_refused(await get_raw(app, "/authorize", raw), ON_A_PAGE, caplog, (name, bad))
            answer = await client.http.post("/token", content=raw, headers=FORM)
            assert_back_channel_refused(answer, 400, "invalid_request", caplog, (name, bad))


async def test_names_that_some_readers_take_for_ours_are_refused(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    code = await client.sign_in()
    for template in ODD_NAMES:
        for name in ("client_id", "redirect_uri", "resource", "scope", "code_challenge"):
            odd = template.replace("{name}", name)
            answer = await client.open("/authorize", [*client.request().items(), (odd, CANARY)])
            assert_refused(answer, ON_A_PAGE, caplog, odd)
        for name in ("client_id", "code", "redirect_uri", "resource"):
            odd = template.replace("{name}", name)
            answer = await post(client, [*redemption(client, code).items(), (odd, CANARY)])
            assert_back_channel_refused(answer, 400, "invalid_request", caplog, odd)

    assert (await client.redeem(code)).status_code == 200


async def test_metadata_that_is_wrong_or_can_be_read_in_two_ways_is_refused(
    client: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    for body in WRONG_METADATA:
        text = body.replace("URI", LOOPBACK_REDIRECT).replace("CANARY", CANARY)
        answer = await client.http.post(
            "/register", content=text.encode(), headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400, body
        assert answer.json()["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}
        assert_nothing_echoed(answer, caplog)


def redemption(client: Driver, code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "code_verifier": VERIFIER,
        "resource": MCP_URL,
    }


async def post(
    client: Driver, pairs: list[tuple[str, str]], *, query: dict[str, str] | None = None
) -> httpx2.Response:
    """A token request whose parameters may stand in it twice."""
    body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    return await client.http.post("/token", content=body, headers=FORM, params=query)
