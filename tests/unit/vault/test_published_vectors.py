"""The published vectors: this code and the description in docs/vault.md agree on every byte."""

import hashlib
import hmac
import json
import struct
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.vault import envelope
from shared.vault.envelope import SealBinding, SealedTokenRefusedError, SealingKey

Vector = dict[str, Any]

_FILE: Final = Path(__file__).parent / "vectors" / "token_vault_format_1.json"
_PUBLISHED: Final[dict[str, list[Vector]]] = json.loads(_FILE.read_text(encoding="utf-8"))
SEALED: Final = _PUBLISHED["sealed"]
REFUSED: Final = _PUBLISHED["refused"]


def name_of(vector: Vector) -> str:
    return str(vector["name"])


def data(vector: Vector, field: str) -> bytes:
    return bytes.fromhex(vector[field])


def key_of(vector: Vector) -> SealingKey:
    return envelope.person_key(
        data(vector, "data_key"),
        stage=vector["stage"],
        key_generation=vector["key_generation"],
        user_salt=data(vector, "user_salt"),
    )


def binding_of(vector: Vector) -> SealBinding:
    return SealBinding(
        table=vector["table"],
        row_id=UUID(vector["row_id"]),
        user_id=UUID(vector["user_id"]),
        column=vector["column"],
        generation=vector["pair_generation"],
    )


def opened_by_the_description(vector: Vector) -> bytes:
    """Another implementation: RFC 5869 and the layout as docs/vault.md writes them down."""
    pseudorandom = hmac.digest(data(vector, "user_salt"), data(vector, "data_key"), hashlib.sha256)
    info = b"drupalize-mcp/token-vault/1/person-key"
    person_key = hmac.digest(pseudorandom, info + b"\x01", hashlib.sha256)
    sealed = data(vector, "sealed")
    parts = (
        vector["stage"].encode(),
        vector["table"].encode(),
        UUID(vector["row_id"]).bytes,
        UUID(vector["user_id"]).bytes,
        vector["column"].encode(),
        vector["pair_generation"].to_bytes(8, "big"),
        vector["key_generation"].to_bytes(4, "big"),
    )
    bound = b"\x01" + b"".join(struct.pack(">H", len(part)) + part for part in parts)
    assert sealed[:5] == b"\x01" + vector["key_generation"].to_bytes(4, "big")
    return AESGCM(person_key).decrypt(sealed[5:17], sealed[17:], bound)


@pytest.mark.parametrize("vector", SEALED, ids=name_of)
def test_every_step_of_a_seal_is_as_published(vector: Vector) -> None:
    key, binding = key_of(vector), binding_of(vector)
    sealed = envelope.seal(
        data(vector, "plain"), key=key, binding=binding, nonce=data(vector, "nonce")
    )

    assert key.secret == data(vector, "person_key")
    assert envelope.associated_data(key, binding) == data(vector, "associated_data")
    assert sealed == data(vector, "sealed")


@pytest.mark.parametrize("vector", SEALED, ids=name_of)
def test_a_published_seal_opens(vector: Vector) -> None:
    opened = envelope.unseal(data(vector, "sealed"), key=key_of(vector), binding=binding_of(vector))

    assert opened == data(vector, "plain")


@pytest.mark.parametrize("vector", SEALED, ids=name_of)
def test_whoever_follows_the_description_opens_it_too(vector: Vector) -> None:
    assert opened_by_the_description(vector) == data(vector, "plain")


@pytest.mark.parametrize("vector", REFUSED, ids=name_of)
def test_what_is_published_as_refused_is_refused(vector: Vector) -> None:
    with pytest.raises(SealedTokenRefusedError) as caught:
        envelope.unseal(data(vector, "sealed"), key=key_of(vector), binding=binding_of(vector))

    assert caught.value.facts["reason"] == vector["reason"]
