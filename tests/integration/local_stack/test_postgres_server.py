import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psycopg
import pytest

from scripts.local_stack.postgres import (
    PostgresServer,
    PostgresStartError,
    process_lives,
    temporary_postgres,
)

GONE_SECONDS_MAX = 20.0


def _wait_until_gone(pid: int) -> None:
    give_up_at = time.monotonic() + GONE_SECONDS_MAX
    while process_lives(pid):
        assert time.monotonic() < give_up_at, "still there"


def test_the_server_ends_when_its_parent_is_killed() -> None:
    program = textwrap.dedent("""
        import signal
        from scripts.local_stack.postgres import temporary_postgres
        with temporary_postgres() as server:
            print(server.pid, server.conninfo(), sep="|", flush=True)
            signal.pause()
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid, conninfo = parent.stdout.readline().strip().split("|")
        with psycopg.connect(conninfo) as connection:
            backend_pid = connection.info.backend_pid
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
            _wait_until_gone(int(pid))
            _wait_until_gone(backend_pid)


def test_a_durable_server_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    for round_number in range(2):
        server = PostgresServer(data_dir, durable=True)
        server.start()
        try:
            with psycopg.connect(server.conninfo(), autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
                connection.execute("INSERT INTO kept VALUES (1)")
                found = connection.execute("SELECT count(*) FROM kept").fetchall()
        finally:
            server.stop()
        assert found == [(round_number + 1,)]


def test_a_kill_in_the_middle_of_the_first_start_leaves_nothing_half_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    program = textwrap.dedent(f"""
        from pathlib import Path
        from scripts.local_stack.postgres import PostgresServer
        PostgresServer(Path({str(data_dir)!r}), durable=True).start()
    """)
    first = subprocess.Popen([sys.executable, "-c", program])
    half_made = tmp_path / "data.new" / "PG_VERSION"
    give_up_at = time.monotonic() + GONE_SECONDS_MAX
    while not half_made.exists():
        assert time.monotonic() < give_up_at, "initdb did not begin"
    first.kill()
    first.wait()

    server = PostgresServer(data_dir, durable=True)
    server.start()
    server.stop()

    assert not half_made.exists()


def test_another_versions_data_is_refused_with_advice(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "PG_VERSION").write_text("9\n")

    with pytest.raises(PostgresStartError, match="fresh"):
        PostgresServer(data_dir, durable=True).start()


def test_nothing_is_left_of_a_temporary_server() -> None:
    with temporary_postgres() as server:
        pid, folder = server.pid, server.log_file.parent
        folders = [folder, Path(str(psycopg.conninfo.conninfo_to_dict(server.conninfo())["host"]))]

    assert not process_lives(pid)
    assert [found for found in folders if found.exists()] == []


def test_the_server_listens_on_no_network_address() -> None:
    with temporary_postgres() as server, psycopg.connect(server.conninfo()) as connection:
        addresses = connection.execute("SHOW listen_addresses").fetchall()

    assert addresses == [("",)]
