"""What the scripted browser reads from a page, and what the scripted person does with it."""

import httpx
import pytest

from scripts.local_stack.browser import BrowserError, Page, ScriptedBrowser
from scripts.local_stack.person import Person

LOGIN = """
<title>Log in</title>
<form action="/user/login?destination=x" method="post">
  <input type="hidden" name="form_id" value="user_login">
  <input name="name"><input type="password" name="pass">
  <input type="checkbox" name="remember" value="1">
  <select name="language"><option value="en">English<option value="de" selected>Deutsch</select>
  <input type="submit" name="op" value="Log in">
</form>
"""


def page(html: str, status: int = 200) -> Page:
    return Page("http://localhost:1/authorize?state=secret", status, httpx.Headers(), html)


def person() -> Person:
    return Person(ScriptedBrowser(), "maya", "maya-demo")


def test_a_form_is_read_with_the_values_it_would_send() -> None:
    (form,) = page(LOGIN).forms

    assert form.action == "http://localhost:1/user/login?destination=x"
    assert form.method == "POST"
    assert form.fields == {"form_id": "user_login", "name": "", "pass": "", "language": "de"}
    assert [button.text for button in form.buttons] == ["Log in"]


def test_a_person_fills_in_the_sign_in_form() -> None:
    _, fields, button = person()._answer(page(LOGIN))

    assert fields == {"name": "maya", "pass": "maya-demo"}
    assert button.name == "op"


def test_a_person_agrees_and_does_not_cancel() -> None:
    consent = (
        '<form method="post"><button name="decision" value="deny">Cancel</button>'
        '<button name="decision" value="allow">Allow and continue</button></form>'
    )
    _, _, button = person()._answer(page(consent))

    assert button.value == "allow"


@pytest.mark.parametrize(
    ("html", "status"), [(LOGIN, 500), ("<h1>Gone</h1>", 200)], ids=["error", "no-form"]
)
def test_a_person_cannot_go_on_from_an_error_page(html: str, status: int) -> None:
    with pytest.raises(BrowserError):
        person()._answer(page(html, status))


def test_a_page_does_not_show_its_query_in_a_traceback() -> None:
    assert "secret" not in repr(page(LOGIN))
