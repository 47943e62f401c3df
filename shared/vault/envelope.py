"""The sealed form of a secret: AES-256-GCM under a person's own key, bound to its place.

Pure: no I/O. Never opens anything whose place, person, pair or key differs from when it was sealed.

Format 1, all numbers big-endian (docs/vault.md; its test vectors are published)::

    version (1 byte) | key generation (4) | nonce (12) | ciphertext and tag

    person's key = HKDF-SHA256(data key, salt = the person's salt, info = PERSON_KEY_INFO), 32 bytes
    AAD          = version (1 byte), then each of stage, table, row id, person's id, column, pair
                   generation (8 bytes), key generation (4 bytes), preceded by its length (2 bytes)
"""

import secrets
import struct
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode

FORMAT_VERSION: Final = 1
PERSON_KEY_INFO: Final = b"drupalize-mcp/token-vault/1/person-key"
KEY_BYTES: Final = 32
SALT_BYTES: Final = 32
NONCE_BYTES: Final = 12

_HEADER: Final = struct.Struct(">BI")
_OVERHEAD_BYTES: Final = _HEADER.size + NONCE_BYTES + 16


class SealedTokenRefusedError(ServiceError):
    """A sealed token does not open: damaged, moved from its place, or its key is not there."""

    code = ErrorCode.SEALED_TOKEN_REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class SealBinding:
    """The place that a sealed secret belongs to; ``generation`` counts the pairs of the row."""

    table: str
    row_id: UUID
    user_id: UUID
    column: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKey:
    """All that one person's secrets of one key generation are sealed with."""

    stage: str
    key_generation: int
    secret: bytes

    def __repr__(self) -> str:
        return f"SealingKey(stage={self.stage!r}, key_generation={self.key_generation})"


def person_key(data_key: bytes, *, stage: str, key_generation: int, user_salt: bytes) -> SealingKey:
    """Derive a person's key (RFC 5869).

    Raises:
        SealedTokenRefusedError: the salt is gone, and with it all that was sealed for them.
    """
    if len(user_salt) != SALT_BYTES or len(data_key) != KEY_BYTES:
        raise SealedTokenRefusedError({"reason": "no_key_material"})
    derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=user_salt, info=PERSON_KEY_INFO)
    return SealingKey(
        stage=stage, key_generation=key_generation, secret=derivation.derive(data_key)
    )


def seal(
    plain: bytes, *, key: SealingKey, binding: SealBinding, nonce: bytes | None = None
) -> bytes:
    """Seal ``plain``. ``nonce`` is for the published test vectors only: a reuse breaks the seal."""
    chosen = secrets.token_bytes(NONCE_BYTES) if nonce is None else nonce
    sealed = AESGCM(key.secret).encrypt(chosen, plain, associated_data(key, binding))
    return _HEADER.pack(FORMAT_VERSION, key.key_generation) + chosen + sealed


def key_generation_of(sealed: bytes) -> int:
    """The generation of the data key that ``sealed`` names; unverified until it is opened.

    Raises:
        SealedTokenRefusedError: not a format that this code knows.
    """
    if len(sealed) < _OVERHEAD_BYTES:
        raise SealedTokenRefusedError({"reason": "too_short"})
    version, generation = _HEADER.unpack_from(sealed)
    if version != FORMAT_VERSION:
        raise SealedTokenRefusedError({"reason": "format", "format": int(version)})
    return int(generation)


def unseal(sealed: bytes, *, key: SealingKey, binding: SealBinding) -> bytes:
    """What was sealed.

    Raises:
        SealedTokenRefusedError: any bit, or any part of the binding, is not as it was.
    """
    if key_generation_of(sealed) != key.key_generation:
        raise SealedTokenRefusedError({"reason": "key_generation"})
    nonce, text = sealed[_HEADER.size :][:NONCE_BYTES], sealed[_HEADER.size + NONCE_BYTES :]
    try:
        return AESGCM(key.secret).decrypt(nonce, text, associated_data(key, binding))
    except InvalidTag as error:
        raise SealedTokenRefusedError({"reason": "not_authentic"}) from error


def associated_data(key: SealingKey, binding: SealBinding) -> bytes:
    """The binding as bytes; lengths in front, so that no two bindings read alike."""
    parts = (
        key.stage.encode(),
        binding.table.encode(),
        binding.row_id.bytes,
        binding.user_id.bytes,
        binding.column.encode(),
        struct.pack(">q", binding.generation),
        struct.pack(">I", key.key_generation),
    )
    return bytes([FORMAT_VERSION]) + b"".join(struct.pack(">H", len(part)) + part for part in parts)
