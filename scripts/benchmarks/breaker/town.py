"""Twelve processes with callers and the site that they call, for one way after the other."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import boto3

from scripts.benchmarks.breaker import caller_process, moody_site
from scripts.benchmarks.breaker.caller_process import Call, Task
from scripts.benchmarks.breaker.moody_site import Mood, SiteState
from scripts.benchmarks.breaker.ways import POWERTOOLS_TABLE, WayName
from scripts.benchmarks.refresh.children import Child
from scripts.benchmarks.refresh.world import World

PROCESSES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Everybody of one run."""

    site: Child
    processes: tuple[Child, ...]

    def be(self, mood: Mood, *, failing_share: float = 0.0) -> int:
        """Give the site a mood; how many requests have reached it in the one before."""
        return int(self.site.ask("be", SiteState(mood=mood, failing_share=failing_share)))

    def pass_time(self, mood: Mood, seconds: float, *, failing_share: float = 0.0) -> int:
        """Let ``seconds`` pass in a mood; the requests that reached the site in it."""
        self.be(mood, failing_share=failing_share)
        time.sleep(seconds)
        return self.be(mood, failing_share=failing_share)

    def newcomers(self) -> list[tuple[bool, float]]:
        """One more caller in each process, at this moment: refused or not, milliseconds."""
        with ThreadPoolExecutor(len(self.processes)) as threads:
            return list(threads.map(lambda process: process.ask("newcomer"), self.processes))

    def taken(self) -> list[list[Call]]:
        """The calls that have ended since the last time, by process."""
        return [process.ask("take") for process in self.processes]


@contextlib.contextmanager
def town(world: World, way: WayName) -> Iterator[Town]:
    """A site that is well, and callers who have just begun."""
    conninfo = world.new_database()
    _new_table()
    log_file = world.folder / f"{way.name}.log"
    with contextlib.ExitStack() as stack:
        site = Child(moody_site.serve, log_file=log_file)
        stack.callback(site.close)
        url = site.ask("url")
        processes = []
        for number in range(PROCESSES):
            task = Task(way=way, conninfo=conninfo, site_url=url, number=number)
            process = Child(caller_process.serve, task, log_file=log_file)
            stack.callback(process.close)
            processes.append(process)
        yield Town(site=site, processes=tuple(processes))


def _new_table() -> None:
    """What Powertools' own store needs; a new one for each run."""
    client = boto3.client("dynamodb")
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        client.delete_table(TableName=POWERTOOLS_TABLE)
    client.create_table(
        TableName=POWERTOOLS_TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
