"""What is done ahead of a snapshot: it must hold nothing that belongs to one environment."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import snapshot_restore_py  # type: ignore[import-untyped] # ships no types

from shared import assembly, aws_service, stored_settings
from shared.once_per_environment import OncePerEnvironment
from shared.upstream import transport
from shared.vault import kms_data_keys

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class _NoParts:
    def forget(self) -> None:
        return


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    caches = (
        kms_data_keys._session,
        stored_settings._session,
        aws_service._session,
        transport._tls,
    )
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def _no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.mark.usefixtures("_no_connections")
def test_nothing_is_connected_and_no_credentials_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "secret:arn:aws:secretsmanager:x#mcp_endpoint")
    monkeypatch.setenv("MCP_URL", "ssm:/drupalize-mcp/mcp-url")

    assembly.prepare_with_nets()

    for session in (kms_data_keys._session(), stored_settings._session(), aws_service._session()):
        assert getattr(session._session, "_credentials") is None  # noqa: B009 - unknown to its types


def test_certificates_are_read_once_for_all_that_follow() -> None:
    assembly.prepare()
    read = transport._tls.cache_info().misses

    transport.CappedTransport(transport.TransportLimits(), connections_max=1)

    assert transport._tls.cache_info().misses == read == 1


def test_services_that_no_setting_refers_to_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "host=localhost")

    stored_settings.prepare()

    assert stored_settings._session.cache_info().currsize == 0


def test_preparation_waits_for_the_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: list[Any] = []
    monkeypatch.setattr(snapshot_restore_py, "_before_snapshot_registry", hooks)
    monkeypatch.setattr(snapshot_restore_py, "_after_restore_registry", [])
    prepared: list[str] = []

    OncePerEnvironment(_NoParts, prepare=lambda: prepared.append("done"))

    assert prepared == []
    for function, arguments, named in hooks:
        function(*arguments, **named)
    assert prepared == ["done"]
