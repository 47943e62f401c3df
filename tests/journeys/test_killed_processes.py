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
from shared.domain.grants import REFRESH_LEASE_SECONDS
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


@pytest.fixture
async def memory() -> ClientMemory:
    return ClientMemory()


async def test_a_killed_mcp_endpoint_costs_one_call(tmp_path: Path, memory: ClientMemory) -> None:
    async with running_world(tmp_path) as world:
        await still_signed_in(world, memory)
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
        await still_signed_in(world, memory)


async def test_a_killed_oauth_server_costs_one_sign_in_and_nobody_else_s(
    tmp_path: Path, memory: ClientMemory
) -> None:
    async with running_world(tmp_path) as world:
        await still_signed_in(world, memory)
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

        await still_signed_in(world, memory)
        await still_signed_in(world, ClientMemory())


async def test_a_killed_refresh_costs_nothing_where_the_site_repeats_its_answer(
    tmp_path: Path, memory: ClientMemory
) -> None:
    """The site processes what the dead function asked for; its buffer gives the pair again."""
    async with running_world(tmp_path) as world:
        world.site.control.set(refresh_replay_seconds=60, access_token_seconds=3_600)
        await still_signed_in(world, memory)
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
        await still_signed_in(world, memory)


async def test_a_killed_cleanup_is_taken_up_by_the_next(
    tmp_path: Path, memory: ClientMemory
) -> None:
    async with running_world(tmp_path) as world:
        await still_signed_in(world, memory)
        kill(world, "cleanup")

        tick = Schedule("cleanup", 300).tick()
        first, second = [
            await asyncio.gather(
                world.stack.emulator.invoke("cleanup", tick), return_exceptions=True
            )
            for _ in range(2)
        ]

        assert isinstance(second[0], dict), (first, second)
        await still_signed_in(world, memory)


def make_every_grant_due(world: World) -> None:
    with database_of(world) as database:
        database.execute("UPDATE app.grants SET refresh_at = app.now()")


def database_of(world: World) -> psycopg.Connection[Any]:
    return psycopg.connect(world.stack.description()["database_url"], autocommit=True)
