"""The parts of AWS that tests need, played by moto in this process.

It must never let a call reach AWS: credentials are made up and the endpoint is loopback.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION: Final = "eu-central-1"


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """A moto server on a free loopback port; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def point_sdk_at(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every AWS client built from now on call `endpoint` with made-up credentials."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


def new_kms_key(endpoint: str) -> str:
    """Create a symmetric KMS key; its id."""
    client = boto3.client("kms", endpoint_url=endpoint)
    try:
        return client.create_key(Description="tests")["KeyMetadata"]["KeyId"]
    finally:
        client.close()
