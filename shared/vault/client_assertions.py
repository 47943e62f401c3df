"""Signatures of client assertions (RFC 7523): which keys are taken, and whether one has signed.

Public keys only, asymmetric algorithms only, and never a key or an address that the assertion names
itself. What the claims say is not judged here.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from shared.domain.clients import SIGNING_ALGORITHMS

ASSERTION_BYTES_MAX: Final = 8_000
KEYS_MAX: Final = 10
FETCHED_KEYS_MAX: Final = 50
"""In a set that a client publishes for everybody, of which few may be of use here."""
RSA_BITS_MIN: Final = 2_048
RSA_BITS_MAX: Final = 4_096
_EC_CURVE: Final = "P-256"
_OKP_CURVE: Final = "Ed25519"
# Members of a JWK that say how a key signs or decrypts (RFC 7518 section 6).
_PUBLIC_MEMBERS: Final = ("kty", "kid", "use", "alg", "crv", "x", "y", "n", "e")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class UnusableKeysError(ValueError):
    """A JWK Set cannot be used; the message says why and holds no value of it."""


class AssertionRefusedError(Exception):
    """No key of the client has signed this, or it is no signed JSON object."""


class _Registry(JWSRegistry):
    """The library's, for our algorithms only.

    It warns of the name EdDSA, which RFC 9864 replaces by Ed25519: clients use the old one.
    """

    max_payload_length = ASSERTION_BYTES_MAX

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name] if name in SIGNING_ALGORITHMS else super().get_alg(name)


_REGISTRY: Final = _Registry(algorithms=SIGNING_ALGORITHMS)


def read_keys(keys: Mapping[str, Any]) -> KeySet:
    """The keys of a JWK Set (RFC 7517 section 5).

    Raises:
        UnusableKeysError: not a set, a private or secret key in it, a weak one, or too many.
    """
    found = keys.get("keys")
    if not isinstance(found, list) or not 0 < len(found) <= KEYS_MAX:
        raise UnusableKeysError(f"must have 1 to {KEYS_MAX} keys")
    for key in found:
        if not isinstance(key, dict) or _PRIVATE_MEMBERS & set(key):
            raise UnusableKeysError("must hold public keys only")
    names = {str(key["kid"]) for key in found if key.get("kid")}
    if 1 < len(found) != len(names):
        raise UnusableKeysError("several keys need a kid of their own each")
    try:
        key_set = KeySet.import_key_set(cast("Any", {"keys": found}))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise UnusableKeysError("holds a key that cannot be read") from error
    if len(key_set.keys) != len(found) or not all(_is_strong(key) for key in key_set.keys):
        raise UnusableKeysError(
            f"keys must be EC on {_EC_CURVE}, OKP on {_OKP_CURVE}, or RSA of {RSA_BITS_MIN} to "
            f"{RSA_BITS_MAX} bits"
        )
    return key_set


def usable_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Those keys of a published JWK Set that can be used here (RFC 7517 section 5).

    Others are passed over: it may serve other purposes and other algorithms as well.

    Raises:
        UnusableKeysError: not a set, a private or secret key in it, or none that can be used.
    """
    found = keys.get("keys")
    if not isinstance(found, list) or len(found) > FETCHED_KEYS_MAX:
        raise UnusableKeysError(f"must have at most {FETCHED_KEYS_MAX} keys")
    if any(isinstance(key, dict) and _PRIVATE_MEMBERS & set(key) for key in found):
        raise UnusableKeysError("must hold public keys only")
    usable = {
        "keys": [
            {name: key[name] for name in _PUBLIC_MEMBERS if name in key}
            for key in found
            if _is_usable(key)
        ]
    }
    read_keys(usable)
    return usable


def names_algorithm(assertion: str) -> bool:
    """Whether ``assertion`` is written like one that is signed as it may be; no key is needed."""
    try:
        header = jws.extract_compact(assertion.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return False
    return header.get("alg") in SIGNING_ALGORITHMS


def signed_claims(assertion: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """What one of ``keys`` has signed (RFC 7515 section 5.2).

    Raises:
        AssertionRefusedError: it is not signed by any of them, or is no JSON object.
    """
    if len(assertion) > ASSERTION_BYTES_MAX or not assertion.isascii():
        raise AssertionRefusedError
    try:
        signed = jws.deserialize_compact(assertion, read_keys(keys), registry=_REGISTRY)
        claims = json.loads(signed.payload)
    # Malformed keys and signatures come as errors of the library and of what it is built on.
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise AssertionRefusedError from None
    if not isinstance(claims, dict):
        raise AssertionRefusedError
    return claims


def _is_usable(key: object) -> bool:
    if not isinstance(key, dict) or key.get("use", "sig") != "sig":
        return False
    try:
        read_keys({"keys": [key]})
    except UnusableKeysError:
        return False
    return True


def _is_strong(key: object) -> bool:
    match key:
        case RSAKey():
            bits: int = key.public_key.key_size
            return RSA_BITS_MIN <= bits <= RSA_BITS_MAX
        case ECKey():
            return key.curve_name == _EC_CURVE
        case OKPKey():
            return key.curve_name == _OKP_CURVE
        case _:
            return False
