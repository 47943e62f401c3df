"""The site's keys: RSA for access tokens, AES for codes and refresh tokens.

Keys belong to this fake alone and lie in its data folder; never use them for anything real.
"""

import json
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import RSAKey

OPAQUE_PREFIX = "def50200"
OPAQUE_BYTES_MIN = 380
NONCE_BYTES = 12
RSA_BITS = 2048


class OpaqueTokenError(Exception):
    """A code or refresh token that this site did not seal."""


@lru_cache(maxsize=1)
def _key_of_this_process() -> RSAKey:
    return RSAKey.generate_key(RSA_BITS)


class SiteKeys:
    """Keys of one site; without a folder they live as long as the process."""

    def __init__(self, data_dir: Path | None) -> None:
        path = data_dir / "keys.json" if data_dir else None
        if path is not None and path.exists():
            stored = json.loads(path.read_text())
            self.rsa = RSAKey.import_key(stored["rsa"])
            self._aes = AESGCM(bytes.fromhex(stored["aes"]))
            return
        aes = secrets.token_bytes(32)
        self.rsa = RSAKey.generate_key(RSA_BITS) if path is not None else _key_of_this_process()
        self._aes = AESGCM(aes)
        if path is not None:
            path.touch(mode=0o600)
            path.write_text(json.dumps({"rsa": self.rsa.as_dict(private=True), "aes": aes.hex()}))

    def public_jwk(self) -> dict[str, str]:
        """Only ``kty``, ``n`` and ``e``, as Drupal publishes it: no ``kid``, ``alg`` or ``use``."""
        public = self.rsa.as_dict(private=False)
        return {name: str(public[name]) for name in ("kty", "n", "e")}

    def seal(self, kind: str, key: str) -> str:
        """An opaque token (hex, ``def50200…``) that carries a row's key."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        plain = key.encode().ljust(OPAQUE_BYTES_MIN)
        return OPAQUE_PREFIX + (nonce + self._aes.encrypt(nonce, plain, kind.encode())).hex()

    def open(self, kind: str, token: str) -> str:
        """The row's key.

        Raises:
            OpaqueTokenError: not sealed by this site as this kind.
        """
        if not token.startswith(OPAQUE_PREFIX):
            raise OpaqueTokenError
        try:
            sealed = bytes.fromhex(token.removeprefix(OPAQUE_PREFIX))
            plain = self._aes.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], kind.encode())
        except (ValueError, InvalidTag) as error:
            raise OpaqueTokenError from error
        return plain.decode().strip()
