"""A person at a browser, scripted: follows redirects, fills in the login form, consents.

Cookies are kept per origin, as a browser keeps them. Never follows a redirect away from the sites
that it was told to visit.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

REDIRECTS_MAX = 20
LOGIN_FORM = "user_login_form"
CONSENT_FORM = "simple_oauth_authorize_form"


class BrowserStuckError(Exception):
    """The scripted person does not know what to do with this page."""


@dataclass(slots=True)
class Form:
    """A form of a page: its action, method and preset fields; ``buttons`` by name and value."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag in ("input", "button") and self.forms and "name" in given:
            pair = (given["name"], given.get("value", ""))
            if given.get("type") == "submit" or tag == "button":
                self.forms[-1].buttons.append(pair)
            else:
                self.forms[-1].fields[pair[0]] = pair[1]


def forms_of(markup: str) -> list[Form]:
    """The forms of a page, in order."""
    parser = _Forms()
    parser.feed(markup)
    return parser.forms


class ScriptedBrowser:
    """One browser. ``leaving_for`` names origins (scheme://host:port) that end the journey."""

    def __init__(self, client: httpx.AsyncClient, *, leaving_for: Collection[str] = ()) -> None:
        self._client = client
        self._leaving_for = frozenset(leaving_for)
        self._cookies: dict[str, dict[str, str]] = {}

    async def get(self, url: str) -> httpx.Response:
        """Open a page; follows redirects until a page, or a redirect that leaves."""
        return await self._visit("GET", url)

    async def submit(
        self, page: httpx.Response, form: Form, *, button: str | None = None, **filled: str
    ) -> httpx.Response:
        """Fill in and send a form by the button of that value."""
        pressed = dict([pair for pair in form.buttons if pair[1] == button][:1])
        url = urljoin(str(page.url), form.action or str(page.url))
        return await self._visit(form.method.upper(), url, {**form.fields, **pressed, **filled})

    async def log_in_and_allow(
        self, authorize_url: str, *, name: str, password: str, op: str = "Allow"
    ) -> str:
        """From the site's authorization URL to the callback URL, which is returned, not visited.

        Raises:
            BrowserStuckError: an unknown page, or the password was refused.
        """
        page = await self.get(authorize_url)
        for _ in range(REDIRECTS_MAX):
            if page.is_redirect:
                return page.headers["location"]
            page = await self._advance(page, name=name, password=password, op=op)
        raise BrowserStuckError("going round in circles")

    async def _advance(
        self, page: httpx.Response, *, name: str, password: str, op: str
    ) -> httpx.Response:
        forms = {form.fields.get("form_id"): form for form in forms_of(page.text)}
        if LOGIN_FORM in forms and 'role="alert"' not in page.text:
            login = forms[LOGIN_FORM]
            return await self.submit(page, login, button="Log in", name=name, **{"pass": password})
        if CONSENT_FORM in forms:
            return await self.submit(page, forms[CONSENT_FORM], button=op)
        raise BrowserStuckError(f"status {page.status_code}, no form to fill in")

    async def _visit(
        self, method: str, url: str, form: dict[str, str] | None = None
    ) -> httpx.Response:
        start = _origin(url)
        for _ in range(REDIRECTS_MAX):
            response = await self._send(method, url, form)
            if not response.is_redirect:
                return response
            url = urljoin(url, response.headers["location"])
            if self._leaves(start, url):
                response.headers["location"] = url
                return response
            method, form = "GET", None
        raise BrowserStuckError("too many redirects")

    def _leaves(self, start: str, url: str) -> bool:
        origin = _origin(url)
        return origin in self._leaving_for if self._leaving_for else origin != start

    async def _send(self, method: str, url: str, form: dict[str, str] | None) -> httpx.Response:
        jar = self._cookies.setdefault(_origin(url), {})
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        response = await self._client.request(
            method,
            url,
            data=form if method == "POST" else None,
            params=form if method == "GET" and form else None,
            headers=headers if jar else None,
            follow_redirects=False,
        )
        for line in response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            jar[name.strip()] = rest.partition(";")[0]
        self._client.cookies.clear()
        return response


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
