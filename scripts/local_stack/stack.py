"""The whole product on this machine: starts the parts in order, watches them, ends them together.

However it ends, it must leave no process behind: every part dies with this process.
"""

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import psycopg

from scripts.dev_view.ticks import TickBook
from scripts.fake_drupal.accounts import DEMO_ACCOUNTS
from scripts.lambda_emulator.edge_front import EdgeFront
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack import addresses as loopback
from scripts.local_stack import fake_site, pgbouncer
from scripts.local_stack.addresses import Addresses
from scripts.local_stack.child_process import ChildProcess, PartFailedError
from scripts.local_stack.data_folder import DataFolder
from scripts.local_stack.functions import DATABASE, Surroundings, specifications
from scripts.local_stack.options import FakeSite, RealSite, StackOptions
from scripts.local_stack.pgbouncer import PgBouncer
from scripts.local_stack.postgres import PostgresServer
from scripts.local_stack.queue_poller import QueuePoller
from scripts.local_stack.queues import QueueAddresses, make_queues, sdk_client
from scripts.local_stack.schedules import Schedule
from scripts.local_stack.watching import Watching
from shared.settings import FUNCTION_SETTINGS
from shared.state.migrator import migrate
from shared.state.roles import AppRole

STACK_FILE: Final = "stack.json"
CONTAINER_VARIABLES: Final = {"DATABASE_CONNECTIONS_MAX": "10", "CALLS_AT_ONCE_MAX": "20"}
"""As the Dockerfile sets them."""
_WATCH_SECONDS: Final = 0.5
_KMS_KEY_FIELD: Final = "key_id"


class Stack:
    """A running stack; made by `running_stack`."""

    def __init__(self, options: StackOptions, folder: DataFolder, addresses: Addresses) -> None:
        self.options = options
        self.addresses = addresses
        self.folder = folder
        logs = folder.logs
        self.watching = Watching(logs) if options.watched else None
        observer = None if self.watching is None else self.watching.platform
        self.emulator = Emulator(log_folder=logs, observer=observer)
        self.postgres = PostgresServer(
            folder.postgres, durable=True, log_file=logs / "postgres.log"
        )
        self._aws = ChildProcess(
            "moto", "scripts.local_stack.aws_server", log_file=logs / "aws.log"
        )
        self._drupal = ChildProcess("drupal", "scripts.fake_drupal", log_file=logs / "drupal.log")
        self._pool: PgBouncer | None = None
        self._edge: EdgeFront | None = None
        self._containers: list[ChildProcess] = []
        self._origin_secret = secrets.token_urlsafe(32)
        self.functions: list[FunctionSpec] = []
        self._callers: list[asyncio.Task[None]] = []
        """Schedules and pollers: what invokes functions without anybody asking."""

    async def start(self) -> None:
        """Start every part; on return all of them answer.

        Raises:
            PartFailedError: a part did not start.
            PgBouncerStartError: the pool that the environment asks for did not start.
            PostgresStartError: the database did not start.
            SettingsError: a function would not start with these options.
        """
        self._aws.start(
            ["--port", str(self.addresses.aws_port), "--key-file", str(self.folder.kms_key)]
        )
        # On this thread: the server ends with the thread that started it.
        self.postgres.start()
        self._prepare_database()
        if pgbouncer.is_wanted():
            self._pool = PgBouncer.in_front_of(self.postgres.conninfo())
        site = self.options.site
        if isinstance(site, FakeSite):
            site = await fake_site.start(site, self._drupal, self.addresses, self.folder)
        await self._aws.wait_until_it_listens("127.0.0.1", self.addresses.aws_port)
        queues = await asyncio.to_thread(make_queues, self.addresses.aws_url)
        await self._start_watching(queues)
        await self._start_functions(site, queues)
        self._start_callers(queues)
        self.folder.write(STACK_FILE, self.description())

    def _prepare_database(self) -> None:
        with psycopg.connect(self.postgres.conninfo(), autocommit=True) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
        everybody: dict[AppRole, str | None] = dict.fromkeys(AppRole)
        migrate(self.postgres.conninfo(DATABASE), app_roles=everybody)

    async def _start_watching(self, queues: QueueAddresses) -> None:
        if self.watching is None:
            return
        await self.watching.listen()
        about = {
            "MCP endpoint": self.addresses.mcp_url,
            "Authorization server": self.addresses.issuer_url,
            "Drupal": self._site_url(),
        }
        conninfo = self.postgres.conninfo(DATABASE)
        await self.watching.show(port=self.addresses.dev_port, conninfo=conninfo, about=about)
        self.watching.watch_queues(sdk_client("sqs", self.addresses.aws_url), queues.all)

    async def _start_functions(self, site: RealSite, queues: QueueAddresses) -> None:
        around = Surroundings(
            addresses=self.addresses,
            postgres=self.postgres,
            kms_key_id=self.folder.read(self.folder.kms_key.name)[_KMS_KEY_FIELD],
            queues=queues,
            site=site,
            log_level=self.options.log_level,
            origin_secret=self._origin_secret,
            artifacts=self.options.artifacts,
            more_variables=self.options.more_variables,
            pool_address={} if self._pool is None else self._pool.address,
            environments_max=self.options.environments_max,
            trace_daemon=self.watching.trace_daemon if self.watching else None,
        )
        self.functions = specifications(around)
        for specification in self.functions:
            # Now, with the settings' names; the function itself starts with its first call only.
            FUNCTION_SETTINGS[specification.name].from_environment(specification.environment)
            if specification.has_url and self.options.front == "containers":
                await self._start_container(specification)
            else:
                await self.emulator.start(specification)
        if self.options.front == "edge":
            self._edge = EdgeFront(
                host="127.0.0.1",
                port=self.addresses.edge_port,
                mcp_origin=self.addresses.mcp_origin,
                oauth_origin=self.addresses.oauth_origin,
                origin_secret=self._origin_secret,
            )
            await self._edge.listen()

    async def _start_container(self, door: FunctionSpec) -> None:
        container = ChildProcess(
            door.name, "functions.container", log_file=self.folder.logs / f"{door.name}.log"
        )
        container.start(
            [door.name, "--host", door.host, "--port", str(door.port)],
            {**door.environment, **CONTAINER_VARIABLES},
        )
        self._containers.append(container)
        await container.wait_until_it_listens(door.host, door.port)

    def _start_callers(self, queues: QueueAddresses) -> None:
        sqs = sdk_client("sqs", self.addresses.aws_url)
        callers: tuple[Schedule | QueuePoller, ...] = (
            *self._schedules(),
            QueuePoller(sqs, queues.refresh_queue_url, "token_refresh"),
            QueuePoller(sqs, queues.watchdog_queue_url, "token_refresh"),
        )
        self._callers = [asyncio.create_task(caller.run(self.emulator)) for caller in callers]

    def _schedules(self) -> list[Schedule]:
        given = {
            "token_refresh": self.options.refresh_interval_seconds,
            "cleanup": self.options.cleanup_interval_seconds,
            "canary": self.options.canary_interval_seconds,
        }
        book = TickBook() if self.watching is None else self.watching.ticks
        return [Schedule(name, every, book) for name, every in given.items() if every is not None]

    async def watch(self) -> None:
        """Return never; raise when a part has died that does not come back by itself.

        Raises:
            PartFailedError: which part, and the end of its log.
        """
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for part in (self._aws, self._drupal, *self._containers):
                if part.has_ended:
                    raise PartFailedError(part.obituary())
            if self.postgres.has_ended:
                raise PartFailedError(f"Postgres has ended, see {self.postgres.log_file}")
            for task in self._callers:
                if task.done():
                    task.result()

    async def stop(self) -> None:
        """End every part, the database last."""
        for task in self._callers:
            task.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        if self._edge is not None:
            await self._edge.close()
        await self.emulator.stop()
        if self.watching is not None:
            await self.watching.stop()
        for container in self._containers:
            container.stop()
        self._drupal.stop()
        self._aws.stop()
        if self._pool is not None:
            self._pool.stop()
        self.postgres.stop()
        self.folder.forget(STACK_FILE)

    def description(self) -> dict[str, Any]:
        """What `stack.json` says; pids of the functions change as environments come and go."""
        fake = isinstance(self.options.site, FakeSite)
        parts = ("postgres", "aws", *(["drupal"] if fake else []))
        functions = [function.name for function in self.functions]
        return {
            "mcp_url": self.addresses.mcp_url,
            "issuer_url": self.addresses.issuer_url,
            "drupal_url": self._site_url(),
            "drupal_control_url": f"{self._site_url()}/_control/" if fake else None,
            "drupal_dialect": self.options.site.dialect
            if isinstance(self.options.site, FakeSite)
            else None,
            "dev_url": self.addresses.dev_url if self.watching else None,
            "aws_endpoint_url": self.addresses.aws_url,
            "database_url": self.postgres.conninfo(DATABASE),
            "people": [
                {"name": person.name, "password": person.password, "roles": list(person.roles)}
                for person in DEMO_ACCOUNTS
            ]
            if fake
            else [],
            "pids": {
                "stack": os.getpid(),
                "postgres": self.postgres.pid,
                "aws": self._aws.pid,
                "drupal": self._drupal.pid,
            },
            "logs": {name: str(self.folder.logs / f"{name}.log") for name in (*parts, *functions)},
            "python": sys.version.split()[0],
            "postgres_version": self.postgres.version,
        }

    def _site_url(self) -> str:
        site = self.options.site
        return self.addresses.drupal_url if isinstance(site, FakeSite) else site.base_url


@contextlib.asynccontextmanager
async def running_stack(options: StackOptions, *, fresh: bool = False) -> AsyncIterator[Stack]:
    """A stack on its data folder, ended and gone afterwards.

    Raises:
        DataFolderInUseError: another stack has the folder.
        PartFailedError: a part did not start.
    """
    with DataFolder(options.data_dir) as folder:
        if fresh:
            folder.wipe()
        addresses = await loopback.choose(folder, fixed=options.fixed_ports, front=options.front)
        stack = Stack(options, folder, addresses)
        try:
            await stack.start()
            yield stack
        finally:
            await stack.stop()
