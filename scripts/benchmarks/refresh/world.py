"""A Postgres, a key service and one site after the other, for measurements of refreshes."""

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import boto3
import psycopg
from moto.server import ThreadedMotoServer
from psycopg import sql
from psycopg.conninfo import make_conninfo

from scripts.benchmarks.refresh import commands, site_process
from scripts.benchmarks.refresh.children import Child
from scripts.benchmarks.refresh.fast_time import FastTime, set_database_clock
from scripts.benchmarks.refresh.nets import Nets
from scripts.benchmarks.refresh.parts import Surroundings
from scripts.benchmarks.refresh.site_process import SiteFacts, SiteOptions
from scripts.local_stack.options import REGION
from scripts.local_stack.postgres import PostgresServer, temporary_postgres
from scripts.local_stack.queues import TABLE, make_queues
from shared.domain.identifiers import GrantId
from shared.state.migrator import migrate
from shared.state.roles import AppRole

ROLE: Final = AppRole.TOKEN_REFRESH
_SOCKET_FOLDER_PREFIX: Final = "dmcp-br-"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all measurements share; each gets a database of its own."""

    postgres: PostgresServer
    kms_key_id: str
    folder: Path
    """For logs and sockets."""
    spill_table: str = TABLE
    _databases: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def town(self, options: SiteOptions, nets: Nets | None = None) -> Iterator["Town"]:
        """A site with people who have signed in, and an environment that takes commands."""
        conninfo = self.new_database(options.time)
        log_file = self.folder / f"{len(self._databases)}.log"
        site = Child(site_process.serve, options, log_file=log_file)
        try:
            facts: SiteFacts = site.ask("facts")
            around = Surroundings(
                conninfo=make_conninfo(conninfo, user=ROLE.value),
                kms_key_id=self.kms_key_id,
                site=facts,
            )
            # Signing in writes what the refreshing function must not.
            owner = Surroundings(conninfo=conninfo, kms_key_id=self.kms_key_id, site=facts)
            signing_in = Child(commands.serve, owner, Nets(), log_file=log_file)
            grant_ids = signing_in.ask("store", site.ask("sign_in_everybody"))
            signing_in.close()
            own = Child(commands.serve, around, nets or Nets(), log_file=log_file)
            try:
                yield Town(
                    conninfo=conninfo,
                    around=around,
                    site=site,
                    own=own,
                    grant_ids=tuple(grant_ids),
                    log_file=log_file,
                )
            finally:
                own.close()
        finally:
            site.close()

    def new_database(self, fast: FastTime | None = None) -> str:
        """An empty database with our schema, in that time; its superuser's conninfo."""
        name = f"measured_{len(self._databases)}"
        self._databases.append(name)
        with psycopg.connect(self.postgres.conninfo(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        conninfo = self.postgres.conninfo(name)
        migrate(conninfo, app_roles=dict.fromkeys(AppRole))
        if fast is not None:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                set_database_clock(connection, fast)
        return conninfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """One measurement's site, people and processes."""

    conninfo: str
    around: Surroundings
    site: Child
    own: Child
    grant_ids: tuple[GrantId, ...]
    log_file: Path


def time_from_now(speed: float) -> FastTime:
    """A time that is right now, and runs that much faster from here on."""
    return FastTime(began_at=time.time(), speed=speed)


@contextlib.contextmanager
def running_world() -> Iterator[World]:
    """The shared parts, gone afterwards."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        _point_sdk_at(f"http://{host}:{port}")
        make_queues(f"http://{host}:{port}")
        with (
            # A commit that a restart forgets would be taken for a lost pair.
            temporary_postgres(durable=True) as postgres,
            tempfile.TemporaryDirectory(prefix=_SOCKET_FOLDER_PREFIX) as folder,
        ):
            key = boto3.client("kms").create_key(Description="measured")
            yield World(
                postgres=postgres,
                kms_key_id=key["KeyMetadata"]["KeyId"],
                folder=Path(folder),
            )
    finally:
        server.stop()


def _point_sdk_at(endpoint: str) -> None:
    """Children inherit it; the process ends with the measurement, so nothing is put back."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        os.environ.pop(name, None)
    os.environ.update(
        AWS_ACCESS_KEY_ID="measured",
        AWS_SECRET_ACCESS_KEY="measured",  # noqa: S106 - moto asks for any
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_ENDPOINT_URL=endpoint,
    )
