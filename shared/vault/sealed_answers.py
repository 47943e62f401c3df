"""The answer to a refresh, sealed under the refresh token that earned it.

A client that lost its answer gets the very same again though the database keeps only hashes;
never can anybody open it who does not hold that token.

Format 1: version (1 byte) | nonce (12) | ciphertext and tag, under
HKDF-SHA256(token, no salt, info = ANSWER_KEY_INFO); the AAD is the version byte.
"""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.vault.envelope import KEY_BYTES, NONCE_BYTES, SealedTokenRefusedError

ANSWER_KEY_INFO: Final = b"drupalize-mcp/sealed-answer/1"

_VERSION: Final = b"\x01"


def seal_answer(plain: bytes, *, presented_token: str) -> bytes:
    """Seal ``plain`` for whoever presents this token again."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return _VERSION + nonce + _cipher(presented_token).encrypt(nonce, plain, _VERSION)


def open_answer(sealed: bytes, *, presented_token: str) -> bytes:
    """What ``seal_answer`` was given.

    Raises:
        SealedTokenRefusedError: another token, another format, or damaged.
    """
    version, rest = sealed[:1], sealed[1:]
    if version != _VERSION or len(rest) <= NONCE_BYTES:
        raise SealedTokenRefusedError({"reason": "format"})
    try:
        return _cipher(presented_token).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], version)
    except InvalidTag as error:
        raise SealedTokenRefusedError({"reason": "not_authentic"}) from error


def _cipher(presented_token: str) -> AESGCM:
    # The token carries 256 random bits, so it needs neither a salt nor stretching.
    derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=ANSWER_KEY_INFO)
    return AESGCM(derivation.derive(presented_token.encode()))
