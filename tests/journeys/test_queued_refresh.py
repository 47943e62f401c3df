"""A due grant goes through the stack's own queue, and a repeat through the other one."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg

from scripts.local_stack.client import ClientMemory
from scripts.local_stack.queues import sdk_client
from scripts.local_stack.schedules import Schedule
from shared.domain.identifiers import GrantId
from shared.queue.messages import MessageKind, RefreshMessage
from tests.journeys.world import World, running_world

WAIT_SECONDS_MAX = 30.0


async def test_the_stack_refreshes_through_both_its_queues(tmp_path: Path) -> None:
    memory = ClientMemory()
    async with running_world(tmp_path, variables={"REFRESH_INLINE_MAX": "0"}) as world:
        world.site.control.set(access_token_seconds=3_600)
        async with world.client(memory) as client:
            assert not (await client.call_tool("account_status", {})).is_error
        counts = await _tick_with_everything_due(world)
        assert (counts["refreshed"], counts["queued"]) == (0, 1)
        await _until_generation(world, 2)

        _leave_in_doubt_and_repeat(world)
        await _until_generation(world, 3)
        async with world.client(memory) as client:
            assert not (await client.call_tool("account_status", {})).is_error
    assert memory.sign_ins == 1


async def _tick_with_everything_due(world: World) -> Any:
    await world.stack.emulator.settled("token_refresh")
    with _database(world) as database:
        database.execute("UPDATE app.grants SET refresh_at = app.now()")
    return await world.stack.emulator.invoke("token_refresh", Schedule("token_refresh", 60).tick())


def _leave_in_doubt_and_repeat(world: World) -> None:
    with _database(world) as database:
        row = database.execute(
            "INSERT INTO app.refresh_attempts (attempt_id, grant_id, pair_generation)"
            " SELECT gen_random_uuid(), grant_id, pair_generation FROM app.grants"
            " RETURNING grant_id, pair_generation"
        ).fetchone()
    assert row is not None
    message = RefreshMessage.about(MessageKind.WATCHDOG, GrantId(row[0]), row[1])
    sqs = sdk_client("sqs", world.stack.addresses.aws_url)
    url = world.stack.functions[0].environment["WATCHDOG_QUEUE_URL"]
    sqs.send_message(QueueUrl=url, MessageBody=message.encode())
    sqs.close()


async def _until_generation(world: World, wanted: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            with _database(world) as database:
                found = database.execute("SELECT pair_generation FROM app.grants").fetchall()
            if found == [(wanted,)]:
                return
            await asyncio.sleep(0.05)


def _database(world: World) -> psycopg.Connection[Any]:
    conninfo = world.stack.description()["database_url"]
    return psycopg.connect(conninfo, autocommit=True)
