"""A person at the account page with a real browser: disconnects, signs out, loses the way."""

import pytest
from playwright.async_api import BrowserContext, Page

from shared.domain.account_page import VISIT_IDLE_SECONDS_MAX
from tests.journeys.browser_parts import (
    Scene,
    accessibility_complaints,
    connect,
    contexts_of_every_look,
    give_password,
    log_in_at_site,
    tab_to,
)
from tests.support.clock import DatabaseClock

pytestmark = pytest.mark.browser

SCRIPTS = pytest.mark.parametrize("scripts", [False, True], ids=["no-script", "script"])


async def open_account_page(scene: Scene, context: BrowserContext) -> Page:
    """To the page of somebody whom the site knows by now."""
    page = await context.new_page()
    await page.goto(scene.account_url)
    await page.get_by_role("button", name="Sign in with").click()
    await signed_in(page)
    return page


async def signed_in(page: Page) -> None:
    """Wait for the page of somebody who is signed in."""
    await page.get_by_role("button", name="Sign out of this page").wait_for()


@SCRIPTS
async def test_a_person_disconnects_a_client_and_it_is_refused_from_then_on(
    scene: Scene, *, scripts: bool
) -> None:
    context = await scene.browser.new_context(java_script_enabled=scripts)
    kept = await connect(scene, context, "maya")
    page = await context.new_page()
    await page.goto(scene.account_url)
    await page.get_by_role("button", name="Sign in with").click()
    await page.get_by_role("button", name="Disconnect Story").click()
    await page.get_by_role("status").wait_for()

    assert "disconnected" in await page.get_by_role("status").inner_text()
    assert await page.get_by_role("button", name="Disconnect Story").count() == 0
    assert "No application is connected" in await page.inner_text("main")
    assert (await scene.client.refresh(kept)).json()["error"] == "invalid_grant"
    await page.reload()
    assert "No application is connected" in await page.inner_text("main")


async def test_all_are_disconnected_by_keyboard_alone(scene: Scene) -> None:
    context = await scene.browser.new_context()
    kept = [await connect(scene, context, "maya") for _ in range(3)]
    page = await context.new_page()
    keys = page.keyboard
    await page.goto(scene.account_url)
    await tab_to(page, "Sign in with")
    await keys.press("Enter")
    await signed_in(page)
    await tab_to(page, "Disconnect Story")
    await keys.press("Enter")
    await page.get_by_text("The application was disconnected").wait_for()

    await tab_to(page, "Disconnect all applications")
    await keys.press("Enter")
    await tab_to(page, "Disconnect all 2 applications")
    await keys.press("Enter")
    await page.get_by_text("All applications were disconnected").wait_for()
    await tab_to(page, "Sign out of this page")
    await keys.press("Enter")
    await page.get_by_text("You are signed out of this page").wait_for()

    for token in kept:
        assert (await scene.client.refresh(token)).status_code == 400


async def test_two_people_at_one_browser_see_their_own_and_leave_no_token_behind(
    scene: Scene,
) -> None:
    context = await scene.browser.new_context()
    await connect(scene, context, "maya")
    page = await open_account_page(scene, context)
    await page.get_by_role("button", name="Sign out of this page").click()
    await page.get_by_role("status").wait_for()
    assert "You are signed out of this page" in await page.inner_text("main")

    await page.goto(f"{scene.site.url}/user/logout")
    await page.goto(scene.account_url)
    await page.get_by_role("button", name="Sign in with").click()
    await log_in_at_site(page, "felix")
    await signed_in(page)

    assert "No application is connected" in await page.inner_text("main")
    access_tokens, _ = scene.site.control.live_tokens("felix")
    assert access_tokens == 0


async def test_a_visit_that_is_over_ends_on_a_page_that_leads_back(
    scene: Scene, clock: DatabaseClock
) -> None:
    context = await scene.browser.new_context(java_script_enabled=False)
    await connect(scene, context, "maya")
    page = await open_account_page(scene, context)
    clock.advance(VISIT_IDLE_SECONDS_MAX + 1)

    await page.get_by_role("button", name="Disconnect Story").click()
    await page.get_by_role("heading", name="Please sign in again").wait_for()
    await page.get_by_role("link", name="Open the page again").click()
    await page.get_by_role("button", name="Sign in with").click()

    await page.get_by_role("button", name="Disconnect Story").wait_for()


async def test_a_refusal_and_an_outage_of_the_site_end_on_pages_that_lead_back(
    scene: Scene,
) -> None:
    page = await scene.browser.new_page()
    await page.goto(scene.account_url)
    await page.get_by_role("button", name="Sign in with").click()
    await give_password(page, "maya")
    await page.click("input[value=Deny]")
    await page.get_by_role("heading", name="You are not signed in").wait_for()

    await page.get_by_role("link", name="Open the page again").click()
    scene.site.control.fail("maintenance_html", route="token")
    await page.get_by_role("button", name="Sign in with").click()
    await page.click("input[value=Allow]")
    await page.get_by_role("heading", name="This page is not available right now").wait_for()

    await page.get_by_role("link", name="Open the page again").click()
    await page.get_by_role("button", name="Sign in with").wait_for()


async def test_its_pages_are_accessible_and_fit_the_screen(
    scene: Scene, clock: DatabaseClock
) -> None:
    complaints: list[str] = []
    for context in await contexts_of_every_look(scene.browser):
        page = await context.new_page()
        await page.goto(scene.account_url)
        complaints += await accessibility_complaints(page, "account-door")
        for _ in range(2):
            await connect(scene, context, "maya")
        page = await open_account_page(scene, context)
        await page.get_by_text("Disconnect all applications").click()
        complaints += await accessibility_complaints(page, "account")
        await page.get_by_role("button", name="Disconnect Story").first.click()
        await page.get_by_role("status").wait_for()
        complaints += await accessibility_complaints(page, "account-disconnected")
        await page.get_by_role("button", name="Disconnect Story").click()
        await page.get_by_text("No application is connected").wait_for()
        complaints += await accessibility_complaints(page, "account-empty")
        clock.advance(VISIT_IDLE_SECONDS_MAX + 1)
        await page.goto(scene.account_url)
        complaints += await accessibility_complaints(page, "account-visit-over")
        await page.goto(f"{scene.issuer}/oauth/callback?state=dmcp_as_{'A' * 43}")
        complaints += await accessibility_complaints(page, "account-error")
        await context.close()

    assert complaints == []
