import httpx
import pytest

from scripts.fake_drupal.browser import BrowserStuckError, ScriptedBrowser, forms_of
from scripts.fake_drupal.running import RunningFakeDrupal
from tests.integration.fake_drupal.people import authorize_url, callback, redeem, rpc


async def test_a_member_signs_in_searches_and_reads(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    given = await callback(either_site, http, "maya")
    pair = (await redeem(either_site, http, given["code"])).json()
    found = (
        await rpc(
            either_site,
            http,
            pair["access_token"],
            "dme_mcp.search_content",
            keywords="render arrays",
        )
    ).json()["result"]
    first = found["results"][0]
    read = await rpc(either_site, http, pair["access_token"], "tutorial.get", id=first["id"])

    assert given["state"] == "a state"
    assert given["code"].startswith("def50200")
    assert "scope" not in pair
    assert first["title"] == "Understand Render Arrays"
    assert "<pre><code" in read.json()["result"]["body"]


async def test_only_the_older_dialect_adds_a_parameter_of_its_own_to_the_callback(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    given = await callback(either_site, http, "felix")

    assert ("check_logged_in" in given) == (either_site.site.dialect.number == 5)


async def test_denying_returns_access_denied_and_no_code(
    either_site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    given = await callback(either_site, http, "felix", op="Deny")

    assert given["error"] == "access_denied"
    assert "code" not in given


async def test_the_second_sign_in_needs_no_consent(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    browser = ScriptedBrowser(http)
    url = authorize_url(site)
    await browser.log_in_and_allow(url, name="maya", password="maya-demo")
    again = await browser.get(url)

    assert again.is_redirect
    assert again.headers["location"].startswith("http://127.0.0.1:9999/oauth/callback?code=")


@pytest.mark.parametrize(("name", "password"), [("maya", "wrong"), ("bruno", "bruno-demo")])
async def test_a_wrong_password_and_a_blocked_account_do_not_get_in(
    site: RunningFakeDrupal, http: httpx.AsyncClient, name: str, password: str
) -> None:
    with pytest.raises(BrowserStuckError):
        await ScriptedBrowser(http).log_in_and_allow(
            authorize_url(site), name=name, password=password
        )


async def test_a_forged_consent_is_shown_the_form_again(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    browser = ScriptedBrowser(http)
    login = await browser.get(authorize_url(site))
    [form] = forms_of(login.text)
    consent = await browser.submit(
        login, form, button="Log in", name="maya", **{"pass": "maya-demo"}
    )
    [form] = forms_of(consent.text)
    answer = await browser.submit(consent, form, button="Allow", form_token="forged")

    assert answer.status_code == 200
    assert "Grant Access" in answer.text


async def test_the_login_never_sends_a_browser_to_another_site(
    site: RunningFakeDrupal, http: httpx.AsyncClient
) -> None:
    answer = await http.post(
        f"{site.url}/user/login?destination=//evil.example/",
        data={"name": "maya", "pass": "maya-demo"},
    )

    assert answer.headers["location"] == "/user/2"
