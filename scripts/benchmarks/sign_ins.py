"""Whole sign-ins through the browser pages, each request of ours timed on its own.

Every sign-in has a new browser, so that nothing is remembered: both consent pages and the site's
login are shown. The person answers at once.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from functions.oauth.endpoints.callback import CALLBACK_PATH
from scripts.benchmarks.samples import Summary, percentile, summary
from scripts.benchmarks.workbench import Workbench
from scripts.fake_drupal.accounts import MEMBER_ROLE
from scripts.local_stack.browser import ScriptedBrowser, Visit
from scripts.local_stack.person import Person
from shared.discovery.documents import AUTHORIZE_PATH, REGISTER_PATH, TOKEN_PATH
from shared.domain import pkce

P95_SECONDS_MAX: Final = 2.0
"""A level of load at which sign-ins take longer is one too many."""
LEVELS: Final = (1, 2, 4, 8)
"""Sign-ins at a time; the function has ten environments, and one more request is throttled."""
REDIRECT_URI: Final = "https://measured.example/callback"
FIRST_UID: Final = 10_000
_TIMEOUT_SECONDS: Final = 30.0
_SITE_ROUTES: Final = frozenset({"token", "userinfo"})
_STEP_OF: Final = {
    ("GET", AUTHORIZE_PATH): "authorize",
    ("POST", AUTHORIZE_PATH): "consent",
    ("GET", CALLBACK_PATH): "callback",
}
OWN_PART: Final = ("authorize", "consent", "callback", "code")
"""From the client's link to its first token (the steps that make up a sign-in)."""
STEPS: Final = ("register", *OWN_PART, "refresh")


class SignInFailedError(Exception):
    """A sign-in did not end as it should; the message says at which step."""


@dataclass(frozen=True, kw_only=True)
class LoadLevel:
    """What came of so many sign-ins at a time."""

    at_a_time: int
    sign_ins: int
    per_second: float
    p95_ms: float
    """Of our part, with the site's time in it."""


@dataclass(frozen=True, kw_only=True)
class SignInReport:
    """Milliseconds: by step, of our part of a sign-in, and under load."""

    steps: Mapping[str, Summary]
    own_part: Summary
    site_ms: Summary
    """The site's time during the callback, which is not in ``steps``."""
    load: Sequence[LoadLevel]

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"oauth": asdict(self)}


async def measure(
    workbench: Workbench, *, rounds: int, discarded: int, load_rounds: int
) -> SignInReport:
    """Sign in ``rounds`` times one after the other, then ``load_rounds`` times at every level."""
    async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS) as http:
        office = _Office(workbench, http)
        for _ in range(discarded):
            await office.sign_in()
        timed, of_site = [], []
        for _ in range(rounds):
            before = await office.site_milliseconds()
            times = await office.sign_in()
            site = await office.site_milliseconds() - before
            timed.append({**times, "callback": times["callback"] - site})
            of_site.append(site)
        load = [level async for level in _load(office, load_rounds)]
    return SignInReport(
        steps={step: summary([times[step] for times in timed]) for step in STEPS},
        own_part=summary([_own_part(times) for times in timed]),
        site_ms=summary(of_site),
        load=load,
    )


async def _load(office: "_Office", rounds: int) -> AsyncIterator[LoadLevel]:
    """Levels, up to the first that is too much."""
    for at_a_time in LEVELS:
        began = time.perf_counter()
        waiting = itertools.repeat(None, rounds * at_a_time)
        clients = (_one_after_another(office, waiting) for _ in range(at_a_time))
        done = [one for taken in await asyncio.gather(*clients) for one in taken]
        p95 = percentile(done, 95)
        yield LoadLevel(
            at_a_time=at_a_time,
            sign_ins=len(done),
            per_second=len(done) / (time.perf_counter() - began),
            p95_ms=p95,
        )
        if p95 > P95_SECONDS_MAX * 1000:
            return


async def _one_after_another(office: "_Office", waiting: Iterator[None]) -> list[float]:
    """Sign in as long as any is waiting to be done: milliseconds of our part of each."""
    return [_own_part(await office.sign_in()) for _ in waiting]


def _own_part(times: Mapping[str, float]) -> float:
    return sum(times[step] for step in OWN_PART)


class _Office:
    """Clients that sign people in."""

    def __init__(self, workbench: Workbench, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._issuer = workbench.stack.addresses.issuer_url
        self._resource = workbench.stack.addresses.mcp_url
        self._site = workbench.stack.addresses.drupal_url
        self._numbers = itertools.count(FIRST_UID)

    async def sign_in(self) -> dict[str, float]:
        """One sign-in and one refresh: milliseconds by step.

        Raises:
            SignInFailedError: a step was refused.
        """
        name = f"Measured {secrets.token_hex(8)}"
        metadata = {"client_name": name, "redirect_uris": [REDIRECT_URI]}
        register, client = await self._post(REGISTER_PATH, json=metadata)
        verifier = secrets.token_urlsafe(48)
        code, visits = await self._browse(client["client_id"], verifier)
        redeem, tokens = await self._post(
            TOKEN_PATH,
            data={
                "grant_type": "authorization_code",
                "code": code,
                "client_id": client["client_id"],
                "redirect_uri": REDIRECT_URI,
                "code_verifier": verifier,
            },
        )
        refresh, _ = await self._post(
            TOKEN_PATH,
            data={
                "grant_type": "refresh_token",
                "refresh_token": tokens["refresh_token"],
                "client_id": client["client_id"],
            },
        )
        return {"register": register, **self._steps(visits), "code": redeem, "refresh": refresh}

    async def site_milliseconds(self) -> float:
        """The site's own time for all requests of ours so far."""
        answer = await self._http.get(f"{self._site}/_control/requests")
        listed = answer.json()["requests"]
        return float(
            sum(one["milliseconds"] or 0.0 for one in listed if one["route"] in _SITE_ROUTES)
        )

    async def _browse(self, client_id: str, verifier: str) -> tuple[str, list[Visit]]:
        query = urlencode(
            {
                "response_type": "code",
                "client_id": client_id,
                "redirect_uri": REDIRECT_URI,
                "state": secrets.token_urlsafe(16),
                "resource": self._resource,
                "code_challenge": pkce.challenge_of(verifier),
                "code_challenge_method": "S256",
            }
        )
        async with ScriptedBrowser() as browser:
            person = await self._somebody_new(browser)
            back = await person.sign_in(f"{self._issuer}{AUTHORIZE_PATH}?{query}", REDIRECT_URI)
            codes = parse_qs(urlsplit(back).query).get("code")
            if not codes:
                raise SignInFailedError("callback")
            return codes[0], browser.visits

    async def _somebody_new(self, browser: ScriptedBrowser) -> Person:
        """As in life: one person alone would soon meet the limit on codes."""
        number = next(self._numbers)
        account = {"uid": number, "name": f"reader{number}", "password": secrets.token_hex(8)}
        answer = await self._http.post(
            f"{self._site}/_control/accounts", json={**account, "roles": [MEMBER_ROLE]}
        )
        answer.raise_for_status()
        return Person(browser, str(account["name"]), str(account["password"]))

    async def _post(self, path: str, **body: Any) -> tuple[float, dict[str, Any]]:
        began = time.perf_counter()
        answer = await self._http.post(f"{self._issuer}{path}", **body)
        milliseconds = (time.perf_counter() - began) * 1000
        if not answer.is_success:
            raise SignInFailedError(f"{path}: {answer.status_code}")
        members: dict[str, Any] = answer.json()
        return milliseconds, members

    def _steps(self, visits: Sequence[Visit]) -> dict[str, float]:
        """Times of the visits to us, by step: what leads on from the consent counts as consent."""
        times = dict.fromkeys(("authorize", "consent", "callback"), 0.0)
        for visit in visits:
            if visit.url.startswith(self._issuer):
                step = _STEP_OF.get((visit.method, urlsplit(visit.url).path), "consent")
                times[step] += visit.milliseconds
        return times
