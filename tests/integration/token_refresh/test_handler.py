"""The handler as the runtime calls it: real settings, real adapters, a real scheduled event."""

import asyncio
import importlib
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import snapshot_restore_py  # type: ignore[import-untyped]  # ships no types

from shared.lambda_stream import event_loop
from shared.observability.instrument import InvocationError
from shared.observability.logging import log
from tests.support.queue_events import queue_event
from tests.support.upstream_world import running_world

FUNCTIONS = ("token_refresh", "cleanup")
EVENTS = Path(__file__).parents[3] / "events"


class Context:
    """What is used of the runtime's context object."""

    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 50_000


def scheduled(function: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / function / "schedule.json").read_text())
    return event


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, database_url: str, kms_key_id: str
) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("STAGE", "local")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KMS_KEY_ID", kms_key_id)
    monkeypatch.setenv("DRUPAL_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DRUPAL_CLIENT_ID", "client")
    root, own = logging.getLogger(), log._logger
    handlers, level = list(root.handlers), root.level
    yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)
    log.use(own)
    for function, registered, _ in snapshot_restore_py.get_after_restore():
        del registered
        function()
    event_loop.discard()


def loaded(function: str) -> ModuleType:
    return importlib.import_module(f"functions.{function}.handler")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_tick_of_the_schedule_is_answered_with_counts(
    environment: pytest.MonkeyPatch, function: str
) -> None:
    handler = loaded(function).handler

    counts = handler(scheduled(function), Context())

    assert set(counts.values()) == {0}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_no_scheduled_event_is_refused(
    environment: pytest.MonkeyPatch, function: str
) -> None:
    with pytest.raises(InvocationError):
        loaded(function).handler({"Records": []}, Context())


@pytest.mark.parametrize(
    "changed",
    [
        {"Records": [{"messageId": "1", "body": "x", "eventSource": "aws:kinesis"}]},
        {"source": "aws.s3"},
        {"detail-type": "Object Created"},
        {"more": 1},
    ],
)
def test_an_event_that_is_a_tick_but_for_one_thing_is_refused(
    environment: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    with pytest.raises(InvocationError):
        loaded("token_refresh").handler({**scheduled("token_refresh"), **changed}, Context())


def test_a_batch_of_a_queue_is_answered_with_what_has_to_come_back(
    environment: pytest.MonkeyPatch,
) -> None:
    answer = loaded("token_refresh").handler(queue_event(["poison"]), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_a_batch_beside_anything_else_is_refused(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvocationError):
        loaded("token_refresh").handler({**queue_event(["poison"]), "source": "x"}, Context())


def test_invocations_share_a_loop_and_a_restore_builds_anew(
    environment: pytest.MonkeyPatch,
) -> None:
    module = loaded("token_refresh")
    module.handler(scheduled("token_refresh"), Context())
    before, loop = module._parts(), event_loop.current()
    module.handler(scheduled("token_refresh"), Context())
    assert module._parts() is before
    assert event_loop.current() is loop

    module._parts.forget()

    assert module._parts() is not before
    module.handler(scheduled("token_refresh"), Context())


def test_the_handler_refreshes_what_is_due(
    environment: pytest.MonkeyPatch, database_url: str, kms_key_id: str
) -> None:
    """The site and the sign-in live on a loop of their own, as they do in another process."""
    ready, done = threading.Event(), threading.Event()
    seen: dict[str, Any] = {}

    async def site() -> None:
        async with running_world(database_url, kms_key_id) as world:
            world.drupal.control.set(access_token_seconds=3_600)
            signed_in = await world.sign_in()
            async with world.own.database.autocommit() as tx:
                await tx.execute("UPDATE app.grants SET refresh_at = app.now()")
            seen["site"] = world.site
            ready.set()
            await asyncio.to_thread(done.wait, 30)
            seen["generation"] = (await world.grant(signed_in)).pair_generation

    thread = threading.Thread(target=asyncio.run, args=(site(),))
    thread.start()
    try:
        assert ready.wait(30)
        environment.setenv("DRUPAL_BASE_URL", seen["site"].base_url)
        environment.setenv("DRUPAL_CLIENT_ID", seen["site"].client_id)
        environment.setenv("DRUPAL_CLIENT_SECRET", seen["site"].client_secret)
        counts = loaded("token_refresh").handler(scheduled("token_refresh"), Context())
    finally:
        done.set()
        thread.join(30)

    assert counts["refreshed"] == 1
    assert seen["generation"] == 2
