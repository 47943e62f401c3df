"""The adapter to KMS: context, retries, bounds, and what its failures tell."""

import asyncio
import socket
import traceback

import pytest

from shared.vault import kms_data_keys
from shared.vault.kms_data_keys import KeyServiceUnavailableError, KeyUnusableError
from tests.integration.vault.scripted_kms import data_keys_of, scripted

CONTEXT = {"app": "drupalize-mcp", "stage": "local", "generation": "1"}


async def test_a_generated_key_opens_under_its_context_only(
    kms_endpoint: str, kms_key_id: str
) -> None:
    kms = data_keys_of(kms_key_id, kms_endpoint)
    made = await kms.generate(CONTEXT)
    opened = await kms.open(made.wrapped_key, kms_key_id=made.kms_key_id, context=CONTEXT)
    with pytest.raises(KeyServiceUnavailableError) as caught:
        await kms.open(
            made.wrapped_key, kms_key_id=made.kms_key_id, context={**CONTEXT, "stage": "prod"}
        )
    kms.forget_client()

    assert opened == made.plain_key
    assert len(opened) == 32
    assert made.wrapped_key != made.plain_key
    assert isinstance(caught.value, KeyUnusableError)


async def test_a_passing_failure_is_tried_again(kms_endpoint: str, kms_key_id: str) -> None:
    kms = data_keys_of(kms_key_id, kms_endpoint)
    faults = scripted(kms)
    faults.answer, faults.times = "ThrottlingException", 1

    made = await kms.generate(CONTEXT)
    kms.forget_client()

    assert len(made.plain_key) == 32
    assert faults.asked == ["GenerateDataKey"] * 2


async def test_a_refusal_is_not_tried_again_and_is_logged_for_repair(
    kms_endpoint: str, kms_key_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    kms = data_keys_of(kms_key_id, kms_endpoint)
    faults = scripted(kms)
    faults.answer = "AccessDeniedException"

    with pytest.raises(KeyServiceUnavailableError) as caught:
        await kms.generate(CONTEXT)
    kms.forget_client()

    assert isinstance(caught.value, KeyUnusableError)
    assert faults.asked == ["GenerateDataKey"]
    assert "canary of a message" not in f"{caught.value} {caught.value.facts}"


async def test_a_dead_endpoint_is_an_outage(
    monkeypatch: pytest.MonkeyPatch, kms_endpoint: str, kms_key_id: str
) -> None:
    monkeypatch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kms = data_keys_of(kms_key_id, f"http://127.0.0.1:{port}")

    with pytest.raises(KeyServiceUnavailableError) as caught:
        await kms.generate(CONTEXT)
    kms.forget_client()

    assert caught.value.facts == {"error_type": "EndpointConnectionError"}
    assert not isinstance(caught.value, KeyUnusableError)


async def test_an_endpoint_that_never_answers_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, kms_endpoint: str, kms_key_id: str
) -> None:
    monkeypatch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        kms = kms_data_keys.KmsDataKeys(
            kms_key_id,
            connect_timeout_seconds=0.2,
            read_timeout_seconds=0.2,
            region_name="eu-central-1",
            endpoint_url=endpoint,
        )
        async with asyncio.timeout(10):
            with pytest.raises(KeyServiceUnavailableError) as caught:
                await kms.generate(CONTEXT)
        kms.forget_client()

    assert caught.value.facts == {"error_type": "ReadTimeoutError"}


async def test_the_event_loop_goes_on_while_kms_is_asked(
    kms_endpoint: str, kms_key_id: str
) -> None:
    kms = data_keys_of(kms_key_id, kms_endpoint)

    made = await asyncio.gather(*(kms.generate(CONTEXT) for _ in range(8)))
    kms.forget_client()

    assert len({one.plain_key for one in made}) == 8


async def test_the_key_is_not_in_a_traceback(kms_endpoint: str, kms_key_id: str) -> None:
    kms = data_keys_of(kms_key_id, kms_endpoint)
    made = await kms.generate(CONTEXT)
    with pytest.raises(KeyServiceUnavailableError) as caught:
        await kms.open(made.wrapped_key, kms_key_id=made.kms_key_id, context={})
    kms.forget_client()

    said = "".join(traceback.format_exception(caught.value))
    assert repr(made.plain_key) not in said
    assert repr(made.wrapped_key) not in said
