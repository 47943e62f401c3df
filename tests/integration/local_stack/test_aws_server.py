import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from mypy_boto3_kms import KMSClient

START_SECONDS_MAX = 30.0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    give_up_at = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < give_up_at:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("the server did not start")


@contextmanager
def _running(key_file: Path) -> Iterator[KMSClient]:
    port = _free_port()
    module = [sys.executable, "-m", "scripts.local_stack.aws_server"]
    process = subprocess.Popen([*module, "--port", str(port), "--key-file", str(key_file)])
    try:
        _wait_for(port)
        client = boto3.client(
            "kms",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}),
        )
        yield client
        client.close()
    finally:
        process.kill()
        process.wait()


def test_what_was_sealed_before_a_kill_opens_after_the_restart(tmp_path: Path) -> None:
    key_file = tmp_path / "kms-key.json"
    with _running(key_file) as kms:
        (key,) = kms.list_keys()["Keys"]
        sealed = kms.encrypt(
            KeyId=key["KeyId"], Plaintext=b"kept", EncryptionContext={"stage": "local"}
        )
    with _running(key_file) as kms:
        (kept,) = kms.list_keys()["Keys"]
        opened = kms.decrypt(
            CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"stage": "local"}
        )

    assert kept["KeyArn"] == key["KeyArn"]
    assert opened["Plaintext"] == b"kept"


def test_the_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    key_file = tmp_path / "kms-key.json"
    with _running(key_file):
        pass

    assert key_file.stat().st_mode & 0o777 == 0o600
