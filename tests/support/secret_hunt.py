"""Remembers every secret that passes by in a test's traffic, and looks for each in what was left.

Nobody lists what to look for: names of parameters, headers and members of answers decide.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import httpx2
import pytest

from scripts.fake_drupal.app import FakeDrupalApp
from scripts.fake_drupal.call import Call

FRONT_CHANNEL: Final = frozenset({"code", "state"})
"""What OAuth itself puts into the addresses of redirects (RFC 6749 section 4.1)."""
SECRET_LENGTH_MIN: Final = 8

_SECRET_NAMES: Final = frozenset(
    {
        *("code", "state", "token", "access_token", "refresh_token", "id_token", "assertion"),
        *("client_secret", "client_assertion", "code_verifier", "consent", "proof"),
        *("pass", "password"),
    }
)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]+)"')
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


@dataclass
class SecretHunt:
    """The secrets so far, each with where it was seen first; and every address asked for."""

    secrets: dict[str, str] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)

    def learn(self, seen_as: str, value: str) -> None:
        """A secret, if it is long enough to be told from ordinary text."""
        if len(value) >= SECRET_LENGTH_MIN:
            self.secrets.setdefault(value, seen_as)

    def learn_bytes(self, seen_as: str, value: bytes) -> None:
        """A key or salt, in the forms in which bytes get into text."""
        for text in (value.hex(), base64.b64encode(value).decode().rstrip("="), repr(value)[2:-1]):
            self.learn(seen_as, text)

    def learn_pairs(self, where: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Named values; the name tells whether it is one."""
        for name, value in pairs:
            if name in _SECRET_NAMES:
                self.learn(f"{where}: {name}", value)

    def found_in(self, text: str) -> set[str]:
        """What the secrets in ``text`` were seen as; as they are, or in another spelling."""
        return {
            seen_as
            for secret, seen_as in self.secrets.items()
            if any(form in text for form in _forms(secret))
        }

    def addresses_without_front_channel(self) -> str:
        """The addresses, but for codes and states where OAuth puts them."""
        return "\n".join(_without_front_channel(each) for each in self.addresses)

    def kinds(self) -> set[str]:
        """The names under which secrets were seen."""
        return {seen_as.rpartition(": ")[2] for seen_as in self.secrets.values()}


def _without_front_channel(address: str) -> str:
    """Also within an address that another one carries, as a login page does."""
    parts = urlsplit(address)
    query = [
        f"{name}={_without_front_channel(value) if '?' in value else value}"
        for name, value in parse_qsl(parts.query)
        if name not in FRONT_CHANNEL
    ]
    return "\n".join([parts._replace(query="").geturl(), *query])


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        encoded[: len(encoded) // 4 * 4],
    }


def _learn_headers(hunt: SecretHunt, where: str, headers: Mapping[str, str]) -> None:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if credentials:
        hunt.learn(f"{where}: authorization, {scheme}", credentials)
    for pair in headers.get("cookie", "").split("; "):
        value = pair.partition("=")[2]
        if value:
            hunt.learn(f"{where}: cookie", value)


def _learn_request(hunt: SecretHunt, request: Any, body: bytes) -> None:
    url = str(request.url)
    hunt.addresses.append(url)
    hunt.learn_pairs("asked", parse_qsl(urlsplit(url).query))
    _learn_headers(hunt, "asked", request.headers)
    if request.headers.get("content-type", "").startswith(_FORM):
        hunt.learn_pairs("asked", parse_qsl(body.decode()))


def _learn_answer(hunt: SecretHunt, answer: Any) -> None:
    for cookie in answer.headers.get_list("set-cookie"):
        hunt.learn("answered: cookie", cookie.partition("=")[2].partition(";")[0])
    location = answer.headers.get("location", "")
    if location:
        hunt.addresses.append(location)
    hunt.learn_pairs("answered", parse_qsl(urlsplit(location).query))
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/html"):
        hunt.learn_pairs("answered", _HIDDEN.findall(answer.text))
    if kind.startswith(_JSON) and answer.content and isinstance(members := answer.json(), dict):
        # A member `code` of ours is an error's name.
        named = [(name, value) for name, value in members.items() if name not in FRONT_CHANNEL]
        hunt.learn_pairs("answered", [pair for pair in named if isinstance(pair[1], str)])


def _watched(hunt: SecretHunt, send: Callable[..., Any]) -> Callable[..., Any]:
    async def watch(client: Any, request: Any, **options: Any) -> Any:
        _learn_request(hunt, request, await request.aread())
        answer = await send(client, request, **options)
        if not options.get("stream"):
            _learn_answer(hunt, answer)
        return answer

    return watch


@contextmanager
def hunting() -> Iterator[SecretHunt]:
    """Watches all HTTP clients of this process, and what the fake site in it is asked."""
    hunt = SecretHunt()
    logged = FakeDrupalApp._logged

    def watch_site(app: FakeDrupalApp, call: Call) -> Any:
        hunt.addresses.append(f"{call.path}?{call.query_string}")
        hunt.learn_pairs("at the site", [*call.form.items(), *call.query.items()])
        _learn_headers(hunt, "at the site", call.headers)
        return logged(app, call)

    with pytest.MonkeyPatch.context() as patch:
        for client in (httpx.AsyncClient, httpx2.AsyncClient):
            patch.setattr(client, "send", _watched(hunt, client.send))
        patch.setattr(FakeDrupalApp, "_logged", watch_site)
        yield hunt
