"""Processes are killed in the middle of their work; nobody has to sign in again."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.lambda_emulator.invocation import FunctionError
from scripts.local_stack.browser import BrowserError
from scripts.local_stack.client import ClientMemory
from scripts.local_stack.schedules import Schedule
from shared.domain.refresh_times import REFRESH_LEASE_SECONDS
from tests.journeys.world import World, running_world
from tests.support.clock import DatabaseClock

WAIT_SECONDS_MAX = 30.0


def kill(world: World, function: str) -> None:
    pids = world.stack.emulator.pids(function)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def still_signed_in(world: World, memory: ClientMemory) -> None:
    async with world.client(memory) as client:
        assert not (await client.call_tool("account_status", {})).is_error
        assert not (await client.call_tool("search_tutorials", {"query": "views"})).is_error
    assert memory.sign_ins == 1


async def test_each_function_is_killed_at_work_and_nobody_signs_in_again(tmp_path: Path) -> None:
    memory = ClientMemory()
    async with running_world(tmp_path) as world:
        # The site repeats a refresh whose answer was lost, as a site should be set up to.
        world.site.control.set(refresh_replay_seconds=60, access_token_seconds=3_600)
        await still_signed_in(world, memory)
        for killed_at_work in (
            mcp_endpoint_killed_in_a_call,
            oauth_killed_in_another_sign_in,
            token_refresh_killed_while_the_site_works,
            cleanup_killed_between_ticks,
        ):
            await killed_at_work(world, memory)
            await still_signed_in(world, memory)


async def mcp_endpoint_killed_in_a_call(world: World, memory: ClientMemory) -> None:
    gate = world.site.control.hold(route="jsonrpc")

    async def call() -> None:
        async with world.client(memory) as client:
            await client.call_tool("search_tutorials", {"query": "views"})

    calling = asyncio.create_task(call())
    await asyncio.wait_for(gate.reached(), WAIT_SECONDS_MAX)
    kill(world, "mcp_endpoint")
    gate.release()
    (ended,) = await asyncio.wait_for(
        asyncio.gather(calling, return_exceptions=True), WAIT_SECONDS_MAX
    )
    assert ended is not None


async def oauth_killed_in_another_sign_in(world: World, _memory: ClientMemory) -> None:
    gate = world.site.control.hold(route="token")

    async def sign_in_elsewhere() -> None:
        async with world.client(ClientMemory()):
            pass

    signing_in = asyncio.create_task(sign_in_elsewhere())
    await asyncio.wait_for(gate.reached(), WAIT_SECONDS_MAX)
    kill(world, "oauth")
    gate.release()
    with pytest.raises((BrowserError, ExceptionGroup)):
        await asyncio.wait_for(signing_in, WAIT_SECONDS_MAX)
    await still_signed_in(world, ClientMemory())


async def token_refresh_killed_while_the_site_works(world: World, _memory: ClientMemory) -> None:
    make_every_grant_due(world)
    gate = world.site.control.hold(route="token")
    tick = asyncio.create_task(
        world.stack.emulator.invoke("token_refresh", Schedule("token_refresh", 60).tick())
    )
    await asyncio.wait_for(gate.reached(), WAIT_SECONDS_MAX)
    kill(world, "token_refresh")
    gate.release()
    with pytest.raises(FunctionError):
        await asyncio.wait_for(tick, WAIT_SECONDS_MAX)
    # Until the dead worker's lease is over, calls are told to come back in a moment.
    with database_of(world) as database:
        DatabaseClock(database).advance(REFRESH_LEASE_SECONDS + 1)


async def cleanup_killed_between_ticks(world: World, _memory: ClientMemory) -> None:
    """The platform notices with the next tick at the latest; the one after that works."""
    kill(world, "cleanup")
    outcomes = [
        (
            await asyncio.gather(
                world.stack.emulator.invoke("cleanup", Schedule("cleanup", 300).tick()),
                return_exceptions=True,
            )
        )[0]
        for _ in range(2)
    ]
    assert isinstance(outcomes[-1], dict), outcomes


def make_every_grant_due(world: World) -> None:
    with database_of(world) as database:
        database.execute("UPDATE app.grants SET refresh_at = app.now()")


def database_of(world: World) -> psycopg.Connection[Any]:
    return psycopg.connect(world.stack.description()["database_url"], autocommit=True)
