"""A real process that refreshes one grant, and can be stopped, continued, or killed at a step."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from scripts.benchmarks.refresh.children import Child, Pipe
from scripts.benchmarks.refresh.naive import Way
from scripts.benchmarks.refresh.parts import Surroundings, environment
from scripts.benchmarks.refresh.site_process import SiteFacts
from scripts.benchmarks.refresh.steps import Crashes, Step
from shared.domain.identifiers import GrantId
from shared.workflows.refresh_grant import RefreshOutcome
from tests.support.upstream_world import SignedIn, UpstreamWorld


class RefreshingProcess:
    """The process, seen from the test."""

    def __init__(self, child: Child, pid: int) -> None:
        self._child = child
        self._pid = pid

    async def says(self) -> Any:
        """The step at which it kills itself, or the outcome of its refresh."""
        return await asyncio.to_thread(self._child.pipe.recv)

    def stop(self) -> None:
        """Stop it, and wait until it stands still."""
        os.kill(self._pid, signal.SIGSTOP)
        stat = Path(f"/proc/{self._pid}/stat")
        while stat.read_text().rsplit(")", 1)[1].split()[0] != "T":
            os.sched_yield()

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self._pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def refreshing_process(
    world: UpstreamWorld, signed_in: SignedIn, log_file: Path, *, dies_at: Step | None = None
) -> AsyncIterator[RefreshingProcess]:
    """A process that has begun to refresh the first pair of a grant; gone with the block."""
    child = Child(
        refresh_once,
        _surroundings(world),
        signed_in.grant_id,
        dies_at,
        {name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        log_file=log_file,
    )
    try:
        yield RefreshingProcess(child, await asyncio.to_thread(child.pipe.recv))
    finally:
        await asyncio.to_thread(child.close)


def refresh_once(
    pipe: Pipe,
    around: Surroundings,
    grant_id: GrantId,
    dies_at: Step | None,
    variables: dict[str, str],
) -> None:
    """What the process does."""
    os.environ.update(variables)
    pipe.send(os.getpid())
    pipe.send(asyncio.run(_refresh(pipe, around, grant_id, dies_at)))


async def _refresh(
    pipe: Pipe, around: Surroundings, grant_id: GrantId, dies_at: Step | None
) -> RefreshOutcome:
    steps = () if dies_at is None else (dies_at,)
    crashes = Crashes(random.Random(0), share=1.0, steps=steps, last_words=pipe.send)  # noqa: S311 - no secret
    crashes.refresh_begins()
    async with environment(around, crashes) as parts:
        return await parts.refresh(Way.OURS, grant_id, 1)


def _surroundings(world: UpstreamWorld) -> Surroundings:
    return Surroundings(
        conninfo=world.database_url,
        kms_key_id=world.kms_key_id,
        site=SiteFacts(
            url=world.site.base_url,
            client_id=world.site.client_id,
            client_secret=world.site.client_secret or "",
            scopes=world.site.scopes,
            redirect_uri=world.site.redirect_uri,
        ),
    )
