"""The fake site in a process of its own: its processor time must not count as ours.

Never plans a fault after it has done what was asked: "before" is what the measurement promises.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Any, Final

from scripts.benchmarks.refresh.children import Pipe
from scripts.benchmarks.refresh.fast_time import FastSiteClock, FastTime
from scripts.fake_drupal.accounts import MEMBER_ROLE, Account
from scripts.fake_drupal.faults import Fault, FaultKind, FaultPlan, RouteClass
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal

_FIRST_UID: Final = 1_000
REFRESH_GRANT: Final = "refresh_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """How the site is; lives and times in seconds of ``time``."""

    time: FastTime
    people: int
    access_token_seconds: int
    refresh_replay_seconds: int
    """The buffer module's time; 0 is a site without it."""
    failing_share: float = 0.0
    """Of refreshes answered by 503 before anything is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What the others have to know about a running site."""

    url: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    redirect_uri: str


class FailingShare(FaultPlan):
    """Lets a share of refreshes fail, by chance."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share
        self._chance = random.Random(5)  # noqa: S311 - the same faults in every run

    def take(
        self, route: RouteClass, *, rpc_method: str | None, grant_type: str | None
    ) -> Fault | None:
        """A fault, now and then."""
        if grant_type == REFRESH_GRANT and self._chance.random() < self._share:
            return Fault(kind=FaultKind.MAINTENANCE_HTML, route=route)
        return super().take(route, rpc_method=rpc_method, grant_type=grant_type)


def serve(pipe: Pipe, options: SiteOptions) -> None:
    """Answer HTTP, and the parent's questions, until the pipe closes."""
    asyncio.run(_serve(pipe, options))


async def _serve(pipe: Pipe, options: SiteOptions) -> None:
    async with running_fake_drupal(6) as drupal:
        drupal.site.clock = FastSiteClock(options.time)
        drupal.control.set(
            access_token_seconds=options.access_token_seconds,
            refresh_replay_seconds=options.refresh_replay_seconds,
        )
        loop = asyncio.get_running_loop()
        while True:
            try:
                command, arguments = await loop.run_in_executor(None, pipe.recv)
            except EOFError:
                return
            pipe.send(_answer(drupal, options, command, *arguments))


def _answer(
    drupal: RunningFakeDrupal, options: SiteOptions, command: str, *arguments: Any
) -> object:
    match command:
        case "facts":
            return SiteFacts(
                url=drupal.url,
                client_id=drupal.client.client_id,
                client_secret=drupal.client.secret or "",
                scopes=drupal.scopes,
                redirect_uri=drupal.client.redirect_uris[0],
            )
        case "sign_in_everybody":
            return [_sign_in(drupal, number) for number in range(options.people)]
        case "fail":
            share = options.failing_share if arguments[0] else 0.0
            drupal.site.faults = FailingShare(share)
            return None
        case "refreshes":
            return drupal.control.count(f"grant:{REFRESH_GRANT}")
        case "milliseconds":
            entries = drupal.control.requests(RouteClass.TOKEN)
            return [one.milliseconds for one in entries if one.grant_type == REFRESH_GRANT]
        case _:
            raise ValueError(command)


def _sign_in(drupal: RunningFakeDrupal, number: int) -> dict[str, str | int | float]:
    name = f"person-{number}"
    drupal.control.put_account(
        Account(uid=_FIRST_UID + number, name=name, password=name, roles=(MEMBER_ROLE,))
    )
    return drupal.issue_pair(name)
