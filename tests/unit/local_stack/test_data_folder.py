import socket
import stat
from pathlib import Path

import pytest

from scripts.local_stack.addresses import choose
from scripts.local_stack.data_folder import DataFolder, DataFolderInUseError


def test_a_second_stack_is_refused_while_the_first_has_the_folder(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        assert DataFolder(tmp_path).in_use()
        with pytest.raises(DataFolderInUseError), DataFolder(tmp_path):
            pass

    assert not DataFolder(tmp_path).in_use()


def test_asking_about_a_folder_that_is_not_there_makes_none(tmp_path: Path) -> None:
    absent = tmp_path / "absent"

    assert not DataFolder(absent).in_use()
    assert not absent.exists()


def test_what_is_kept_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        folder.write("stack.json", {"a": 1})

        assert folder.read("stack.json") == {"a": 1}
        assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600


def test_a_fresh_start_forgets_the_stack_and_nothing_else(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("mine")
    with DataFolder(tmp_path) as folder:
        folder.kms_key.write_text("{}")
        folder.postgres.mkdir()
        folder.drupal.mkdir()
        folder.wipe()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "logs", "notes.txt"]


async def test_ports_stay_the_same_over_a_restart(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        before = await choose(folder, fixed=False, front="urls")
        after = await choose(folder, fixed=True, front="urls")

    assert (after.mcp_url, after.issuer_url) == (before.mcp_url, before.issuer_url)
    assert after.moved == ()


async def test_a_port_that_somebody_else_has_now_is_left_to_them_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.local_stack.addresses._WAIT_FOR_PREDECESSOR_SECONDS", 0.0)
    with DataFolder(tmp_path) as folder, socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        folder.write("ports.json", {"mcp": taken})
        addresses = await choose(folder, fixed=False, front="urls")

    assert addresses.mcp_port != taken
    assert addresses.moved == ("mcp",)


async def test_every_part_is_reachable_from_this_machine_only(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        addresses = await choose(folder, fixed=False, front="urls")

    hosts = {addresses.oauth_origin, addresses.mcp_origin, addresses.drupal_url, addresses.aws_url}
    assert {url.split(":")[1].strip("/") for url in hosts} <= {
        "localhost",
        "127.0.0.1",
        "127.0.0.2",
    }
