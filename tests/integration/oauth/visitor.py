"""A person with a browser at the account page, step by step."""

import re
from dataclasses import dataclass, field

import httpx2

from tests.integration.oauth.driver import ISSUER, onward, query
from tests.integration.oauth.upstream_stub import UpstreamStub

ACCOUNT = f"{ISSUER}/account"


_CONNECTION = re.compile(r'name="connection" value="([^"]+)"')


_PROOF = re.compile(r'name="proof" value="([^"]+)"')


@dataclass
class Visitor:
    """A person with a browser at the account page."""

    http: httpx2.AsyncClient
    upstream: UpstreamStub
    subject: str = "42"
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""

    async def get(self, path: str = "/account", **parameters: str) -> httpx2.Response:
        return self._seen(
            await self.http.get(path, params=parameters, headers={"cookie": self._cookie()})
        )

    async def post(self, action: str, **fields: str) -> httpx2.Response:
        form = {"action": action, **({"proof": self.proof} if self.proof else {}), **fields}
        headers = {"cookie": self._cookie()}
        return self._seen(await self.http.post("/account", data=form, headers=headers))

    async def sign_in(self) -> httpx2.Response:
        """All the way; the account page."""
        back = await self.come_back(await self.post("sign_in"))
        assert back.status_code == 303, back.text
        assert back.headers["location"] == ACCOUNT
        return await self.get()

    async def come_back(self, sent: httpx2.Response, **changes: str) -> httpx2.Response:
        """Signed in at the site, back at the callback."""
        self.upstream.subject = self.subject
        state = query(onward(sent))["state"]
        answer = {"code": self.upstream.consent(state), "state": state, **changes}
        return await self.get("/oauth/callback", **answer)

    @property
    def proof(self) -> str:
        """The proof in the forms of the page, if it has any."""
        found = _PROOF.search(self.page)
        return found[1] if found else ""

    @property
    def connections(self) -> list[str]:
        """The ids of the connections on the page."""
        return _CONNECTION.findall(self.page)

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _seen(self, answer: httpx2.Response) -> httpx2.Response:
        self.http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.split(";", 1)[0].partition("=")
            self.cookies[name] = value.strip('"')
        if answer.headers.get("content-type", "").startswith("text/html"):
            self.page = answer.text
        return answer
