"""Faults of our own house: crashes, schedules at a stand, memory, slowness, tokens in logs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from scripts.alarm_faults.case import Case
from scripts.alarm_faults.town import AT_A_TIME, DOORS_MAX, SEARCH, Town, at_once, repeat
from scripts.lambda_emulator.environment_pool import ThrottledError
from scripts.lambda_emulator.http_connection import HttpConnection, HttpServer
from scripts.lambda_emulator.invocation import FunctionError
from scripts.local_stack.queues import sdk_client
from scripts.local_stack.schedules import Schedule
from shared.domain.tokens import TokenKind, mint

CRASHES: Final = 3
KILLED_AFTER_SECONDS: Final = 0.05
SLOW_STATEMENT_SECONDS: Final = 0.2
SLOW_SIGN_IN_SECONDS: Final = 0.5
SLOW_SITE_MILLISECONDS: Final = 700
SLOW_OAUTH_MILLISECONDS: Final = 3_500


async def nothing(_town: Town) -> None:
    """Nobody does anything."""


def crashes(function: str) -> Callable[[Town], Awaitable[None]]:
    """Environments of a function die while they work, as they do without memory."""

    async def plant(town: Town) -> None:
        while True:
            call = asyncio.ensure_future(_invoked(town, function))
            while not call.done():
                await asyncio.sleep(KILLED_AFTER_SECONDS)
                town.kill(function)
            await call

    return plant


async def _invoked(town: Town, function: str) -> None:
    """An invocation that waits for Postgres, where it needs it."""
    with town.admin() as lock:
        lock.autocommit = False
        lock.execute("LOCK TABLE app.sessions, app.grants, app.clients IN ACCESS EXCLUSIVE MODE")
        if function == "oauth":
            await _post(town)
        elif function == "mcp_endpoint":
            await town.call(town.callers[0], SEARCH)
        else:
            with contextlib.suppress(FunctionError, ThrottledError):
                await town.stack.emulator.invoke(function, Schedule(function, 60.0).tick())
        lock.rollback()


async def _post(town: Town) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": town.callers[0].refresh_token}
    form["client_id"] = town.client_id
    await town.ask("POST", f"{town.issuer}/token", data=form)


Work = Callable[[Town], Awaitable[None]]


def more_than_there_are(work: Work) -> Work:
    """More requests at once than a function may have environments, while Postgres stands still."""

    async def plant(town: Town) -> None:
        async def once() -> None:
            with town.admin() as lock:
                lock.autocommit = False
                lock.execute("LOCK TABLE app.sessions, app.grants, app.clients")
                await asyncio.gather(*(work(town) for _ in range(DOORS_MAX + 2)))
                lock.rollback()

        await repeat(once)

    return plant


async def _call(town: Town) -> None:
    await town.call(town.callers[0], SEARCH)


async def leaking(town: Town) -> None:
    """A function with far less memory than it holds."""
    small = replace(town.specification("mcp_endpoint"), name="leaking", port=0, memory_mb=40)
    url = await town.start_more(small)
    await repeat(lambda: at_once(town.ask("GET", f"{url}/health/live") for _ in range(AT_A_TIME)))


async def slow_database(town: Town) -> None:
    """Every statement that asks for the time takes 0.2 s longer, and every pair is due."""
    people = await town.people(AT_A_TIME)
    await at_once(town.call(one, town.read()) for one in people)
    town.slow_database(SLOW_STATEMENT_SECONDS)

    async def once() -> None:
        town.expire_pairs()
        await at_once(town.call(one, town.read()) for one in people)

    await repeat(once)


async def slow_sign_ins(town: Town) -> None:
    """Every statement that asks for the time takes 0.5 s longer, while people sign in."""
    town.slow_database(SLOW_SIGN_IN_SECONDS)
    await repeat(lambda: at_once(town.sign_in() for _ in range(AT_A_TIME)))


async def slow_site(town: Town) -> None:
    """Drupal answers every reading 0.7 s late."""
    people = await town.people(AT_A_TIME)
    town.site.control.delay(SLOW_SITE_MILLISECONDS, route="jsonrpc", times=100_000)
    await repeat(lambda: at_once(town.call(one, town.read()) for one in people))


async def slow_site_sign_ins(town: Town) -> None:
    """Drupal's token endpoint and its page about the person answer 3.5 s late each."""
    for route in ("token", "userinfo"):
        town.site.control.delay(SLOW_OAUTH_MILLISECONDS, route=route, times=100_000)
    await repeat(lambda: at_once(town.sign_in() for _ in range(AT_A_TIME)))


async def token_in_a_log(town: Town) -> None:
    """A line with a token is in a function's log, as a careless library would print it."""
    with town.stack.emulator.log_file("oauth").open("a") as log:
        log.write(f"DEBUG:library:sent {mint(TokenKind.ACCESS)}\n")


async def open_door(town: Town) -> None:
    """The canary finds an endpoint that takes whatever token it is shown."""

    async def serve(connection: HttpConnection) -> None:
        while await connection.next_request() is not None:
            await connection.body(bytes_max=1_000_000)
            answer = b'{"jsonrpc": "2.0", "id": 1, "result": {"content": []}}'
            await connection.respond(200, [("content-type", "application/json")], answer)

    server = HttpServer(serve)
    port = await server.listen("127.0.0.1", 0)
    try:
        spec = town.specification("canary")
        deceived = {**spec.environment, "MCP_URL": f"http://127.0.0.1:{port}/mcp"}
        await town.start_more(replace(spec, name="deceived", environment=deceived))
        await town.stack.emulator.invoke("deceived", Schedule("canary", 60.0).tick())
        await asyncio.Event().wait()
    finally:
        await server.close()


async def poisoned_message(town: Town) -> None:
    """A message in the refresher's queue that nobody understands; it comes back every second."""
    sqs = sdk_client("sqs", town.stack.addresses.aws_url)
    found = await asyncio.to_thread(lambda: sqs.get_queue_url(QueueName="drupalize-mcp-refresh"))
    url = found["QueueUrl"]
    quick = {"VisibilityTimeout": "1"}
    await asyncio.to_thread(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=quick))
    await asyncio.to_thread(lambda: sqs.send_message(QueueUrl=url, MessageBody="poison"))


_WITH_SOMEBODY: Final = lambda town: town.people(AT_A_TIME)  # noqa: E731 - one word for all cases

CASES: Final = (
    *(
        Case(
            fault=f"environments of {function} are killed while they work",
            alarms=alarms,
            prepare=_WITH_SOMEBODY,
            plant=crashes(function),
            factor=3.0,
        )
        for function, alarms in (
            ("mcp_endpoint", ("McpEndpointErrors", "McpEndpointVersionErrors")),
            ("oauth", ("OAuthErrors", "OAuthVersionErrors")),
            ("token_refresh", ("TokenRefreshErrors",)),
            ("cleanup", ("CleanupErrors",)),
            ("canary", ("CanaryErrors",)),
        )
    ),
    Case(
        fault="more sign-ins at once than environments, Postgres stands still",
        alarms=("OAuthThrottled",),
        prepare=_WITH_SOMEBODY,
        plant=more_than_there_are(_post),
        factor=10.0,
    ),
    Case(
        fault="more calls at once than environments, Postgres stands still",
        alarms=("McpEndpointThrottled",),
        prepare=_WITH_SOMEBODY,
        plant=more_than_there_are(_call),
        factor=6.0,
    ),
    Case(
        fault="no schedule ticks any more",
        alarms=("TokenRefreshMissed", "CleanupMissed", "CanaryMissed"),
        plant=nothing,
        factor=60.0,
    ),
    Case(
        fault="environments hold more memory than they have (40 MB)",
        alarms=("MemoryRunsOut",),
        plant=leaking,
        factor=10.0,
    ),
    Case(
        fault="Postgres answers 0.2 s late, pairs are due",
        alarms=("ContentRetrievalSlow", "TokenRefreshSlow", "ServiceUnwell"),
        prepare=_WITH_SOMEBODY,
        plant=slow_database,
        factor=4.0,
    ),
    Case(
        fault="Postgres answers 0.5 s late",
        alarms=("OAuthFlowSlow",),
        plant=slow_sign_ins,
        factor=10.0,
    ),
    Case(
        fault="Drupal answers readings 0.7 s late",
        alarms=("ContentRetrievalSlowWithDrupal",),
        prepare=_WITH_SOMEBODY,
        plant=slow_site,
        factor=6.0,
    ),
    Case(
        fault="Drupal's token endpoint and user information answer 3.5 s late",
        alarms=("OAuthFlowSlowWithDrupal",),
        plant=slow_site_sign_ins,
        factor=10.0,
    ),
    Case(
        fault="a line with a token in a function's log",
        alarms=("TokenExposed",),
        plant=token_in_a_log,
        factor=60.0,
    ),
    Case(
        fault="an endpoint lets the canary in with a token that opens nothing",
        alarms=("AuthorizationBypassed",),
        plant=open_door,
        factor=60.0,
    ),
    Case(
        fault="a message that nobody understands comes back five times",
        alarms=("DeadLetterQueueNotEmpty",),
        plant=poisoned_message,
        factor=60.0,
    ),
)
