"""A client and a person with a browser, driving the authorization server step by step."""

import html
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2

from functions.oauth.browser_cookie import COOKIE_NAME
from shared.domain import pkce
from tests.integration.oauth.upstream_stub import UpstreamStub

ISSUER = "https://auth.example"
MCP_URL = "https://mcp.example/mcp"
WEB_REDIRECT = "https://app.example/callback"
LOOPBACK_REDIRECT = "http://127.0.0.1:33418/callback"
ORIGIN_SECRET = "s" * 40
FORMER_ORIGIN_SECRET = "f" * 40
VERIFIER = "v" * 43
FORM = {"content-type": "application/x-www-form-urlencoded"}

_ONWARD = re.compile(r'http-equiv="refresh" content="0; url=([^"]+)"')
_HIDDEN = re.compile(r'name="(sign_in|consent)" value="([^"]+)"')


@dataclass
class Driver:
    """Cookies go by hand, so that a test can be another browser."""

    http: httpx2.AsyncClient
    upstream: UpstreamStub
    client_id: str = ""
    redirect_uri: str = WEB_REDIRECT
    cookie: str = ""
    page: dict[str, str] = field(default_factory=dict)

    async def register(self, **metadata: Any) -> dict[str, Any]:
        """Register the client; its metadata as answered."""
        answer = await self.http.post(
            "/register",
            json={"client_name": "Test app", "redirect_uris": [self.redirect_uri], **metadata},
        )
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        self.client_id = body["client_id"]
        return body

    def request(self, **changes: str | None) -> dict[str, str]:
        """Authorization request parameters; None leaves one out."""
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": "client-state",
            "scope": "tutorial:search tutorial:read",
            "resource": MCP_URL,
            "code_challenge": pkce.challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    async def authorize(self, **changes: str | None) -> httpx2.Response:
        """Open the authorization endpoint in the browser."""
        return await self.open("/authorize", self.request(**changes))

    async def open(self, path: str, parameters: Any = None) -> httpx2.Response:
        """GET in the browser."""
        headers = {"cookie": f"{COOKIE_NAME}={self.cookie}"} if self.cookie else {}
        return self._seen(await self.http.get(path, params=parameters, headers=headers))

    async def decide(self, decision: str = "allow", **changes: str) -> httpx2.Response:
        """Answer the consent page."""
        headers = {"cookie": f"{COOKIE_NAME}={self.cookie}"} if self.cookie else {}
        form = {**self.page, "decision": decision, **changes}
        return self._seen(await self.http.post("/authorize", data=form, headers=headers))

    async def return_from_site(self, location: str, **more: str) -> httpx2.Response:
        """Sign in and agree at the site, then come back."""
        state = query(location)["state"]
        parameters = {"code": self.upstream.consent(state), "state": state, **more}
        return await self.open("/oauth/callback", parameters)

    async def sign_in(self, **changes: str | None) -> str:
        """The whole way to our code."""
        step = await self.authorize(**changes)
        if step.status_code == 200:
            step = await self.decide()
        back = await self.return_from_site(onward(step))
        assert back.status_code == 303, back.text
        return query(back.headers["location"])["code"]

    async def redeem(self, issued: str, /, **changes: str | None) -> httpx2.Response:
        """Exchange our code."""
        form = {
            "grant_type": "authorization_code",
            "code": issued,
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
            "resource": MCP_URL,
            **changes,
        }
        return await self.token(form)

    async def refresh(self, presented: str, /, **changes: str | None) -> httpx2.Response:
        """Use a refresh token."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": presented,
            "client_id": self.client_id,
            **changes,
        }
        return await self.token(form)

    async def revoke(self, presented: str, /) -> httpx2.Response:
        """Give a token back."""
        return await self.http.post(
            "/revoke", data={"token": presented, "client_id": self.client_id}
        )

    async def token(self, form: dict[str, str | None]) -> httpx2.Response:
        """POST to the token endpoint; None leaves a parameter out."""
        data = {name: value for name, value in form.items() if value is not None}
        return await self.http.post("/token", data=data)

    async def tokens(self) -> dict[str, Any]:
        """Register, sign in, redeem; the token answer."""
        if not self.client_id:
            await self.register()
        answer = await self.redeem(await self.sign_in())
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def _seen(self, answer: httpx2.Response) -> httpx2.Response:
        self.http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.split(";", 1)[0].partition("=")
            if name == COOKIE_NAME:
                self.cookie = value
        found = dict(_HIDDEN.findall(answer.text))
        self.page = found or self.page
        return answer


def onward(answer: httpx2.Response) -> str:
    """Where the browser goes next: by redirect, or by a page that leads on."""
    if answer.status_code == 303:
        return answer.headers["location"]
    assert answer.status_code == 200, answer.text
    found = _ONWARD.search(answer.text)
    assert found is not None, answer.text
    return html.unescape(found[1])


def query(location: str) -> dict[str, str]:
    """The query of a location, each name once."""
    pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True)
    assert len(parse_qs(urlsplit(location).query)) == len(pairs)
    return dict(pairs)
