"""A small browser without a screen: follows redirects, reads forms, keeps cookies as browsers do.

It plays a person's part for the demo and the journeys; it must never be given a real password.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import httpx
from bs4 import BeautifulSoup, Tag

REDIRECTS_MAX: Final = 20
_TIMEOUT_SECONDS: Final = 30.0
_SUBMITS: Final = frozenset({"submit", "image"})
_CHECKABLE: Final = frozenset({"checkbox", "radio"})


class BrowserError(Exception):
    """The page is not what a person could go on with; the message says which page and why."""


@dataclass(frozen=True)
class Button:
    """A button that sends its form; its text is the one that a screen reader tells."""

    text: str
    name: str | None
    value: str


@dataclass(frozen=True)
class Form:
    """A form with the values it would send now."""

    action: str
    method: str
    fields: Mapping[str, str]
    passwords: tuple[str, ...]
    buttons: tuple[Button, ...]


@dataclass(frozen=True)
class Page:
    """What the browser shows."""

    url: str
    status: int
    headers: httpx.Headers
    html: str

    @property
    def title(self) -> str:
        """The title, else the first heading, else nothing."""
        soup = BeautifulSoup(self.html, "html.parser")
        found = soup.find("title") or soup.find("h1")
        return found.get_text(" ", strip=True) if found else ""

    @property
    def leads_on_to(self) -> str | None:
        """Where the page sends its reader at once, if it does (``<meta http-equiv=refresh>``)."""
        soup = BeautifulSoup(self.html, "html.parser")
        refresh = soup.find("meta", {"http-equiv": "refresh"})
        seconds, _, url = _text(refresh, "content").partition("; url=") if refresh else ("", "", "")
        return url if seconds == "0" and url else None

    @property
    def text(self) -> str:
        """The readable text."""
        return BeautifulSoup(self.html, "html.parser").get_text(" ", strip=True)

    @property
    def forms(self) -> list[Form]:
        """The forms, in order."""
        soup = BeautifulSoup(self.html, "html.parser")
        return [_form(found, self.url) for found in soup.find_all("form")]

    def __repr__(self) -> str:
        """Without the query, which may carry codes."""
        return f"Page({without_query(self.url)!r}, {self.status})"


@dataclass(frozen=True)
class Visit:
    """One request of the browser, as told in a transcript: no query, no body."""

    method: str
    url: str
    status: int
    milliseconds: float


def without_query(url: str) -> str:
    """The address without what may be secret in it."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _text(tag: Tag, name: str) -> str:
    return str(tag.get(name) or "")


def _form(tag: Tag, page_url: str) -> Form:
    fields: dict[str, str] = {}
    passwords: list[str] = []
    buttons: list[Button] = []
    for control in tag.find_all(["input", "button", "select", "textarea"]):
        name = _text(control, "name")
        kind = _text(control, "type").lower() or ("submit" if control.name == "button" else "text")
        if kind in _SUBMITS:
            text = control.get_text(" ", strip=True) or _text(control, "value")
            label = _text(control, "aria-label") or text
            buttons.append(Button(label, name or None, _text(control, "value")))
        elif name and not (kind in _CHECKABLE and not control.has_attr("checked")):
            fields[name] = _value(control)
            if kind == "password":
                passwords.append(name)
    return Form(
        action=urljoin(page_url, _text(tag, "action") or page_url),
        method=_text(tag, "method").upper() or "GET",
        fields=fields,
        passwords=tuple(passwords),
        buttons=tuple(buttons),
    )


def _value(control: Tag) -> str:
    if control.name == "textarea":
        return control.get_text()
    if control.name == "select":
        chosen = control.find("option", selected=True) or control.find("option")
        return _text(chosen, "value") if chosen else ""
    return _text(control, "value") or ("on" if _text(control, "type") == "checkbox" else "")


@dataclass
class CookieJar:
    """Cookies by host and name.

    As browsers do it: ports do not matter, `Secure` and `__Host-` cookies work on plain http
    towards loopback. Paths are not kept apart.
    """

    _cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def take(self, host: str, set_cookie: str) -> None:
        """Keep or delete what one Set-Cookie header says."""
        kept = self._cookies.setdefault(host, {})
        for name, morsel in SimpleCookie(set_cookie).items():
            if name.startswith("__Host-") and not (
                morsel["secure"] and morsel["path"] == "/" and not morsel["domain"]
            ):
                continue  # a browser refuses it
            if morsel["max-age"] == "0" or "1970" in morsel["expires"] or not morsel.value:
                kept.pop(name, None)
            else:
                kept[name] = morsel.coded_value

    def header(self, host: str) -> str:
        """The Cookie header for a host; empty when there is nothing to send."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.get(host, {}).items())

    def names(self, host: str) -> set[str]:
        """Names of the cookies kept for a host."""
        return set(self._cookies.get(host, {}))


class ScriptedBrowser:
    """One browser: opens pages and sends forms, following redirects."""

    def __init__(self) -> None:
        self.cookies = CookieJar()
        self.visits: list[Visit] = []
        self._http = httpx.AsyncClient(follow_redirects=False, timeout=_TIMEOUT_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def open(self, url: str, *, stop_at: Callable[[str], bool] | None = None) -> Page | str:
        """Open an address; where a redirect leads to an address that `stop_at` knows, that one."""
        return await self._go("GET", url, {}, stop_at)

    async def submit(
        self,
        page: Page,
        form: Form,
        fields: Mapping[str, str] | None = None,
        *,
        button: Button | None = None,
        stop_at: Callable[[str], bool] | None = None,
    ) -> Page | str:
        """Send a form with some fields filled in, pressing a button."""
        data = {**form.fields, **(fields or {})}
        if button is not None and button.name:
            data[button.name] = button.value
        if form.method == "GET":
            address = httpx.URL(form.action).copy_merge_params(data)
            return await self._go("GET", str(address), {}, stop_at)
        origin = urlsplit(page.url)._replace(path="", query="", fragment="").geturl()
        return await self._go("POST", form.action, data, stop_at, origin=origin)

    async def _go(
        self,
        method: str,
        url: str,
        data: Mapping[str, str],
        stop_at: Callable[[str], bool] | None,
        *,
        origin: str | None = None,
    ) -> Page | str:
        for _ in range(REDIRECTS_MAX):
            answer = await self._send(method, url, data, origin)
            page = Page(url, answer.status_code, answer.headers, answer.text)
            onward = answer.headers["location"] if answer.is_redirect else page.leads_on_to
            if onward is None:
                return page
            if answer.status_code not in {307, 308}:
                method, data, origin = "GET", {}, None
            url = urljoin(url, onward)
            if stop_at is not None and stop_at(url):
                return url
        raise BrowserError(f"more than {REDIRECTS_MAX} redirects, last to {without_query(url)}")

    async def _send(
        self, method: str, url: str, data: Mapping[str, str], origin: str | None
    ) -> httpx.Response:
        host = urlsplit(url).hostname or ""
        headers = {"accept": "text/html,*/*;q=0.8"}
        if cookie := self.cookies.header(host):
            headers["cookie"] = cookie
        if origin is not None:
            headers["origin"] = origin
        began = time.perf_counter()
        answer = await self._http.request(
            method, url, headers=headers, data=dict(data) if method == "POST" else None
        )
        milliseconds = (time.perf_counter() - began) * 1000
        # httpx's own jar is kept empty: it would hold back secure cookies on plain http.
        self._http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            self.cookies.take(host, line)
        self.visits.append(Visit(method, without_query(url), answer.status_code, milliseconds))
        return answer
