"""The vault over a real key service and database: first use, cache, outage, refusal."""

import asyncio
import dataclasses
import socket
import uuid
from typing import Final

import psycopg
import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from shared.domain.grants import SealedPair
from shared.state import data_keys
from shared.state.database import DatabaseUnavailableError
from shared.vault import kms_data_keys
from shared.vault.opened_keys import OUTAGE_RETRY_SECONDS, OUTAGE_SECONDS_MAX
from shared.vault.token_vault import (
    KeyServiceUnavailableError,
    KeyUnusableError,
    SealBinding,
    SealedTokenRefusedError,
    TokenVault,
)
from tests.integration.vault.conftest import CACHE_SECONDS, Instance, NewInstance

SALT: Final = bytes(range(32))
BINDING: Final = SealBinding(
    table="grants",
    row_id=uuid.UUID(int=1),
    user_id=uuid.UUID(int=2),
    column="pair_ciphertext",
    generation=1,
)
PLAIN: Final = b"canary-of-a-token"
AWAY: Final = EndpointConnectionError(endpoint_url="http://kms.example")


async def seal(vault: TokenVault) -> SealedPair:
    return await vault.seal(PLAIN, user_salt=SALT, binding=BINDING)


async def unseal(vault: TokenVault, sealed: SealedPair) -> bytes:
    return await vault.open(sealed, user_salt=SALT, binding=BINDING)


@pytest.fixture
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """No retries inside the SDK, which would wait between them; asked for before an instance."""
    monkeypatch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)


async def test_one_environment_opens_what_another_has_sealed(new_instance: NewInstance) -> None:
    sealed = await seal(new_instance().vault)

    assert PLAIN not in sealed.ciphertext
    assert await unseal(new_instance().vault, sealed) == PLAIN


async def test_the_first_use_makes_one_key_and_the_next_ones_ask_nobody(
    instance: Instance,
) -> None:
    for _ in range(5):
        await instance.vault.prepare()
        await unseal(instance.vault, await seal(instance.vault))

    assert instance.faults.asked == ["GenerateDataKey"]


async def test_first_uses_at_once_agree_on_one_key(
    new_instance: NewInstance, database_admin: psycopg.Connection[tuple[int]]
) -> None:
    instances = [new_instance() for _ in range(5)]

    generations = await asyncio.gather(
        *(one.vault.prepare() for one in instances for _ in range(3))
    )
    sealed = [await seal(one.vault) for one in instances]

    stored = database_admin.execute("SELECT count(*) FROM app.data_keys").fetchone()
    assert set(generations) == {1}
    assert stored == (1,)
    for one in instances:
        assert [await unseal(one.vault, other) for other in sealed] == [PLAIN] * 5


async def test_a_newer_generation_is_taken_up_and_the_older_one_still_opens(
    instance: Instance,
) -> None:
    old = await seal(instance.vault)
    made = await instance.kms.generate(
        {"app": "drupalize-mcp", "stage": "local", "generation": "2"}
    )
    async with instance.database.transaction() as tx:
        await data_keys.add(
            tx,
            data_keys.WrappedDataKey(
                generation=2, wrapped_key=made.wrapped_key, kms_key_id=made.kms_key_id
            ),
        )
    before = await instance.vault.prepare()
    instance.wait(CACHE_SECONDS)
    after = await instance.vault.prepare()
    new = await seal(instance.vault)

    assert (before, after, new.key_generation) == (1, 2, 2)
    assert await unseal(instance.vault, old) == await unseal(instance.vault, new) == PLAIN


async def test_another_stage_is_refused_its_key_by_kms_itself(new_instance: NewInstance) -> None:
    sealed = await seal(new_instance("staging").vault)

    with pytest.raises(KeyServiceUnavailableError) as caught:
        await unseal(new_instance("prod").vault, sealed)

    assert isinstance(caught.value, KeyUnusableError)


@pytest.mark.parametrize(
    "moved",
    [
        {"table": "users"},
        {"row_id": uuid.UUID(int=9)},
        {"user_id": uuid.UUID(int=9)},
        {"column": "other"},
        {"generation": 2},
    ],
    ids=lambda moved: next(iter(moved)),
)
async def test_a_pair_moved_elsewhere_is_refused(
    instance: Instance, moved: dict[str, object]
) -> None:
    sealed = await seal(instance.vault)
    elsewhere = dataclasses.replace(BINDING, **moved)  # type: ignore[arg-type]  # by parameter

    with pytest.raises(SealedTokenRefusedError):
        await instance.vault.open(sealed, user_salt=SALT, binding=elsewhere)


async def test_the_generation_of_column_and_ciphertext_must_agree(instance: Instance) -> None:
    sealed = await seal(instance.vault)

    with pytest.raises(SealedTokenRefusedError) as caught:
        await unseal(instance.vault, dataclasses.replace(sealed, key_generation=2))

    assert caught.value.facts == {"reason": "key_generation"}


async def test_a_pair_whose_key_is_gone_is_refused_for_good(
    new_instance: NewInstance, database_admin: psycopg.Connection[object]
) -> None:
    sealed = await seal(new_instance().vault)
    database_admin.execute("DELETE FROM app.data_keys")

    with pytest.raises(SealedTokenRefusedError) as caught:
        await unseal(new_instance().vault, sealed)

    assert caught.value.facts == {"reason": "no_data_key", "key_generation": 1}


async def test_without_the_salt_nothing_opens_and_nothing_is_sealed(instance: Instance) -> None:
    sealed = await seal(instance.vault)

    with pytest.raises(SealedTokenRefusedError):
        await instance.vault.open(sealed, user_salt=b"", binding=BINDING)
    with pytest.raises(SealedTokenRefusedError):
        await instance.vault.seal(PLAIN, user_salt=b"", binding=BINDING)


async def test_kms_is_asked_again_when_the_time_in_the_cache_is_over(instance: Instance) -> None:
    sealed = await seal(instance.vault)
    instance.wait(CACHE_SECONDS - 1)
    await unseal(instance.vault, sealed)
    before = len(instance.faults.asked)
    instance.wait(1)
    await asyncio.gather(*(unseal(instance.vault, sealed) for _ in range(10)))

    assert before == 1
    assert instance.faults.asked == ["GenerateDataKey", "Decrypt"]


@pytest.mark.parametrize(
    "answer",
    [
        AWAY,
        ReadTimeoutError(endpoint_url="http://kms.example"),
        "ThrottlingException",
        "KMSInternalException",
    ],
    ids=["away", "slow", "throttled", "failing"],
)
async def test_cached_keys_serve_during_an_outage_and_no_new_ones_do(
    one_attempt: None, new_instance: NewInstance, answer: Exception | str
) -> None:
    instance, cold = new_instance(), new_instance()
    sealed = await seal(instance.vault)
    instance.faults.answer = cold.faults.answer = answer
    instance.wait(CACHE_SECONDS)

    assert await unseal(instance.vault, sealed) == PLAIN
    assert await instance.vault.prepare() == 1
    assert await unseal(instance.vault, await seal(instance.vault)) == PLAIN
    with pytest.raises(KeyServiceUnavailableError) as caught:
        await unseal(cold.vault, sealed)
    with pytest.raises(KeyServiceUnavailableError):
        await cold.vault.prepare()
    assert not isinstance(caught.value, KeyUnusableError)
    assert caught.value.retry_after_seconds


async def test_during_an_outage_kms_is_asked_once_in_a_while(
    one_attempt: None, instance: Instance
) -> None:
    sealed = await seal(instance.vault)
    instance.faults.answer = AWAY
    instance.wait(CACHE_SECONDS)
    instance.faults.asked.clear()

    for _ in range(10):
        await unseal(instance.vault, sealed)
    once = len(instance.faults.asked)
    instance.wait(OUTAGE_RETRY_SECONDS)
    await unseal(instance.vault, sealed)
    twice = len(instance.faults.asked)
    instance.faults.answer = None
    instance.wait(OUTAGE_RETRY_SECONDS)
    await unseal(instance.vault, sealed)
    instance.wait(CACHE_SECONDS - 1)
    await unseal(instance.vault, sealed)

    assert (once, twice, len(instance.faults.asked)) == (1, 2, 3)


async def test_an_outage_that_lasts_ends_the_service_of_cached_keys(
    one_attempt: None, instance: Instance
) -> None:
    sealed = await seal(instance.vault)
    instance.faults.answer = AWAY
    instance.wait(OUTAGE_SECONDS_MAX - 1)
    assert await unseal(instance.vault, sealed) == PLAIN

    instance.wait(1)

    with pytest.raises(KeyServiceUnavailableError):
        await unseal(instance.vault, sealed)


async def test_what_was_prepared_is_sealed_though_its_time_ended_meanwhile(
    one_attempt: None, instance: Instance
) -> None:
    await instance.vault.prepare()
    instance.faults.answer = AWAY
    instance.wait(CACHE_SECONDS + 60)
    instance.faults.asked.clear()

    assert (await seal(instance.vault)).key_generation == 1
    assert instance.faults.asked == []


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "DisabledException",
        "KMSInvalidStateException",
        "NotFoundException",
        "InvalidCiphertextException",
        "IncorrectKeyException",
    ],
)
async def test_a_key_that_somebody_took_away_serves_no_longer(
    instance: Instance, code: str
) -> None:
    sealed = await seal(instance.vault)
    instance.faults.answer = code
    instance.wait(CACHE_SECONDS)

    for _ in range(2):
        with pytest.raises(KeyServiceUnavailableError) as caught:
            await unseal(instance.vault, sealed)
        assert isinstance(caught.value, KeyUnusableError)
        assert caught.value.facts == {"kms_code": code}
    instance.faults.answer = AWAY
    with pytest.raises(KeyServiceUnavailableError):
        await unseal(instance.vault, sealed)
    instance.faults.answer = None
    assert await unseal(instance.vault, sealed) == PLAIN


async def test_cached_keys_serve_while_the_database_is_away(
    new_instance: NewInstance,
) -> None:
    instance, cold = new_instance(), new_instance()
    sealed = await seal(instance.vault)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"host=127.0.0.1 port={probe.getsockname()[1]}"
    for one in (instance, cold):
        await one.database.drop_connections()
        one.database._conninfo = nobody
    instance.wait(CACHE_SECONDS)

    assert await unseal(instance.vault, sealed) == PLAIN
    with pytest.raises(DatabaseUnavailableError):
        await unseal(cold.vault, sealed)
    with pytest.raises(DatabaseUnavailableError):
        await cold.vault.prepare()


async def test_after_a_restore_keys_and_client_are_new(instance: Instance) -> None:
    sealed = await seal(instance.vault)
    client = instance.kms._client()

    instance.vault.forget_keys()

    assert instance.kms._client() is not client
    assert await unseal(instance.vault, sealed) == PLAIN
    assert await seal(instance.vault) != sealed


def test_a_vault_serves_in_a_second_event_loop(instance: Instance) -> None:
    sealed = asyncio.run(seal(instance.vault))
    instance.wait(CACHE_SECONDS)

    async def many() -> list[bytes]:
        return await asyncio.gather(*(unseal(instance.vault, sealed) for _ in range(5)))

    assert asyncio.run(many()) == [PLAIN] * 5


async def test_nothing_secret_shows(instance: Instance) -> None:
    sealed = await seal(instance.vault)
    made = await instance.kms.generate({})
    key = instance.vault._opened.held(1, now=instance.now[0])
    shown = f"{sealed!r} {made!r} {instance.vault!r} {instance.vault._opened!r} {instance.kms!r}"

    for secret in (key, made.plain_key, made.wrapped_key, sealed.ciphertext, PLAIN):
        assert secret is not None
        assert repr(secret) not in shown
        assert secret.hex() not in shown
