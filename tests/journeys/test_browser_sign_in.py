"""A person signs in with a real browser: our pages, the site's pages, and back to the client."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.async_api import Route

from functions.oauth.flows.client_metadata import CLIENT_NAME_LENGTH_MAX
from tests.journeys.browser_parts import (
    Scene,
    accessibility_complaints,
    contexts_of_every_look,
    give_password,
    log_in_at_site,
    tab_to,
)

pytestmark = pytest.mark.browser

WEBSITE = "https://app.example/callback"


@pytest.fixture(params=[6, 5], ids=["simple_oauth-6", "simple_oauth-5"])
def dialect(request: pytest.FixtureRequest) -> int:
    """Both dialects of the site's OAuth server."""
    number: int = request.param
    return number


async def test_a_person_connects_a_client_without_any_script(scene: Scene) -> None:
    context = await scene.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(scene.client.authorization_url())
    assert await page.title() == f"Connect Story | {scene.site_host}"

    await page.get_by_role("button", name="Allow and continue").click()
    await log_in_at_site(page, "maya")
    answer = await scene.client.answer()

    assert (answer["state"], answer["iss"]) == ("story", scene.issuer)
    tokens = await scene.client.redeem(answer["code"])
    assert tokens.status_code == 200
    assert tokens.json()["refresh_token"].startswith("dmcp_rt_")


async def test_a_site_whose_login_is_on_another_host_is_no_dead_end(scene: Scene) -> None:
    page = await scene.browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(scene.client.authorization_url())

    await page.get_by_role("button", name="Allow and continue").click()
    await page.wait_for_url(f"{scene.site.url}/user/login**")
    await page.go_back()

    # The page that led on has left no trace: Back is the question, not a loop.
    await page.get_by_role("button", name="Allow and continue").wait_for()
    assert scene.site_host.startswith("localhost:")
    assert not [text for text in complaints if "Content Security Policy" in text]


@pytest.mark.parametrize("scripts", [False, True], ids=["no-script", "script"])
@pytest.mark.parametrize("dialect", [6], indirect=True)
async def test_a_faulty_link_ends_on_a_page_that_names_the_host_and_offers_the_way(
    scene: Scene, *, scripts: bool
) -> None:
    context = await scene.browser.new_context(java_script_enabled=scripts)
    page = await context.new_page()
    heard: list[str] = []
    await page.route(f"{WEBSITE}**", lambda route: _hear(route, heard))
    await page.goto(await _faulty_link(scene))

    await page.get_by_role("heading", name="This page cannot continue").wait_for()
    assert heard == []
    await tab_to(page, "continue to app.example")
    await page.keyboard.press("Enter")
    await page.get_by_text("Back at the application").wait_for()

    answer = dict(parse_qsl(urlsplit(heard[0]).query))
    assert (answer["error"], answer["state"]) == ("invalid_target", "story")


@pytest.mark.parametrize("dialect", [6], indirect=True)
async def test_a_person_connects_a_client_by_keyboard_alone(scene: Scene) -> None:
    page = await scene.browser.new_page()
    keys = page.keyboard
    await page.goto(scene.client.authorization_url())
    for name in ("Allow and continue", "Cancel", "disconnect it"):
        await tab_to(page, name)  # in the order in which they are seen
    await keys.press("Shift+Tab")
    await keys.press("Shift+Tab")
    await keys.press("Enter")
    await page.locator("input[name=pass]").wait_for()
    await tab_to(page, "name")
    await keys.type("maya")
    await tab_to(page, "pass")
    await keys.type("maya-demo")
    await keys.press("Enter")
    await page.locator("input[value=Allow]").wait_for()
    await tab_to(page, "Allow")
    await keys.press("Enter")

    answer = await scene.client.answer()
    assert (await scene.client.redeem(answer["code"])).status_code == 200


@pytest.mark.parametrize(
    ("dialect", "scripts"),
    [(6, True), (5, False)],
    indirect=["dialect"],
    ids=["simple_oauth-6", "simple_oauth-5-no-script"],
)
async def test_cancel_and_a_refusal_at_the_site_reach_the_client(
    scene: Scene, *, scripts: bool
) -> None:
    context = await scene.browser.new_context(java_script_enabled=scripts)
    page = await context.new_page()
    await page.goto(scene.client.authorization_url())
    await page.get_by_role("button", name="Cancel").click()
    cancelled = await scene.client.answer()
    await page.get_by_text("You can close this window.").wait_for()

    await page.goto(scene.client.authorization_url())
    await page.get_by_role("button", name="Allow and continue").click()
    await give_password(page, "maya")
    await page.click("input[value=Deny]")
    refused = await scene.client.answer()

    for answer in (cancelled, refused):
        assert (answer["error"], answer["state"]) == ("access_denied", "story")
        assert answer["iss"] == scene.issuer


async def test_two_tabs_of_one_browser_finish_two_sign_ins(scene: Scene) -> None:
    context = await scene.browser.new_context()
    first, second = await context.new_page(), await context.new_page()
    await first.goto(scene.client.authorization_url())
    await second.goto(scene.client.authorization_url())

    await second.get_by_role("button", name="Allow and continue").click()
    await log_in_at_site(second, "maya")
    later = await scene.client.answer()
    # The site knows the person and the answer by now: it asks nothing more.
    await first.get_by_role("button", name="Allow and continue").click()
    earlier = await scene.client.answer()

    for answer in (later, earlier):
        assert (await scene.client.redeem(answer["code"])).status_code == 200


async def test_an_outage_of_the_site_ends_on_a_page_that_says_what_to_do(scene: Scene) -> None:
    page = await scene.browser.new_page()
    await page.goto(scene.client.authorization_url())
    await page.get_by_role("button", name="Allow and continue").click()
    scene.site.control.fail("maintenance_html", route="token")

    await log_in_at_site(page, "maya")

    await page.get_by_role("heading", name="Sign-in is not available right now").wait_for()
    assert "start again from your application" in await page.inner_text("main")


async def _faulty_link(scene: Scene) -> str:
    """A request for somebody else's resource, with an address that anybody could register."""
    client_id = await scene.client.another(WEBSITE)
    return scene.client.authorization_url(
        client_id=client_id, redirect_uri=WEBSITE, resource="https://other.example/mcp"
    )


async def _doubtful_link(scene: Scene, name: str) -> str:
    """A request of a client with a name that is known or long, and a long address of its own."""
    redirect_uri = f"https://{'a-long-name-' * 5}x.of-somebody-elses-host.example/callback"
    client_id = await scene.client.another(redirect_uri, name=name)
    return scene.client.authorization_url(client_id=client_id, redirect_uri=redirect_uri)


async def _hear(route: Route, heard: list[str]) -> None:
    """The application's website, which is nowhere."""
    heard.append(route.request.url)
    await route.fulfill(body="Back at the application")


async def _without_refresh(route: Route) -> None:
    """The page that leads on, staying for a look."""
    answer = await route.fetch()
    html = re.sub(r'<meta http-equiv="refresh"[^>]*>', "", await answer.text())
    await route.fulfill(response=answer, body=html)


@pytest.mark.parametrize("dialect", [6], indirect=True)
async def test_pages_are_accessible_and_fit_the_screen(scene: Scene) -> None:
    complaints: list[str] = []
    for context in await contexts_of_every_look(scene.browser):
        page = await context.new_page()
        await page.goto(scene.client.authorization_url())
        complaints += await accessibility_complaints(page, "consent")
        for name in ("Claude", "W" * CLIENT_NAME_LENGTH_MAX):
            await page.goto(await _doubtful_link(scene, name))
            complaints += await accessibility_complaints(page, f"consent-{name[:6]}")
        await page.goto(scene.client.authorization_url())
        await page.route(f"{scene.issuer}/authorize", _without_refresh)
        await page.get_by_role("button", name="Allow and continue").click()
        await page.get_by_role("link", name="Continue").wait_for()
        complaints += await accessibility_complaints(page, "onward")
        await page.goto(f"{scene.issuer}/authorize?client_id=nobody")
        complaints += await accessibility_complaints(page, "error-unknown-client")
        await page.goto(await _faulty_link(scene))
        complaints += await accessibility_complaints(page, "error-faulty-link")
        await page.goto(f"{scene.issuer}/oauth/callback?state=none")
        complaints += await accessibility_complaints(page, "error-expired")
        await context.close()

    assert complaints == []
