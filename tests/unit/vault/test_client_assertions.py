"""Which keys a client may have, and what counts as signed by one of them."""

import base64
import hmac
import json
from itertools import count
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from shared.vault.client_assertions import (
    FETCHED_KEYS_MAX,
    AssertionRefusedError,
    UnusableKeysError,
    names_algorithm,
    read_keys,
    signed_claims,
    usable_keys,
)

EC = ECKey.generate_key("P-256", {"kid": "ec"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "okp"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
CLAIMS = {"sub": "client"}
Jwks = dict[str, Any]


def public(*keys: Any) -> Jwks:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(key: Any, algorithm: str, **header: Any) -> str:
    given = {"alg": algorithm, "kid": key.kid, **header}
    with_kid = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(with_kid, CLAIMS, key, algorithms=[algorithm])


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(EC, "ES256"), (RSA, "RS256"), (RSA, "PS256")],
    ids=["ES256", "RS256", "PS256"],
)
def test_each_algorithm_verifies_with_the_key_it_names(key: Any, algorithm: str) -> None:
    assert signed_claims(signed(key, algorithm), public(EC, OKP, RSA)) == CLAIMS


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # of the signing side, not of ours
def test_the_old_name_of_ed25519_verifies_without_a_warning() -> None:
    assertion = signed(OKP, "EdDSA")

    assert signed_claims(assertion, public(EC, OKP)) == CLAIMS


def test_a_single_key_needs_no_name() -> None:
    assert signed_claims(signed(EC, "ES256", kid=None), public(EC)) == CLAIMS


def test_a_key_that_is_not_the_clients_is_refused() -> None:
    other = ECKey.generate_key("P-256", {"kid": "ec"})

    with pytest.raises(AssertionRefusedError):
        signed_claims(signed(other, "ES256"), public(EC))


@pytest.mark.filterwarnings("ignore:Key size should be")  # that is what makes it weak
def test_of_a_published_set_the_usable_keys_are_taken() -> None:
    other_curve = ECKey.generate_key("P-384", {"kid": "big"})
    weak = RSAKey.generate_key(1024, {"kid": "weak"})
    published = public(EC, other_curve, weak, RSA)
    published["keys"] += [
        {**OKP.as_dict(private=False), "use": "enc"},
        {"kty": "made up"},
        "no key",
    ]
    published["keys"][0] |= {"x5c": ["a certificate"], "use": "sig"}

    usable = usable_keys(published)

    assert [key["kid"] for key in usable["keys"]] == [EC.kid, RSA.kid]
    assert "x5c" not in usable["keys"][0]
    assert signed_claims(signed(EC, "ES256"), usable) == CLAIMS


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": {}},
        {"keys": []},
        {"keys": [{"kty": "made up"}]},
        {"keys": [EC.as_dict(private=True)]},
        {"keys": [EC.as_dict(private=False), OctKey.generate_key(256).as_dict(private=True)]},
        {"keys": [EC.as_dict(private=False)] * 2},
        {"keys": [{}] * (FETCHED_KEYS_MAX + 1)},
    ],
)
def test_a_published_set_without_usable_keys_or_with_secrets_is_refused(keys: Jwks) -> None:
    with pytest.raises(UnusableKeysError):
        usable_keys(keys)


@pytest.mark.parametrize(
    ("assertion", "named"),
    [
        (signed(EC, "ES256"), True),
        ("", False),
        ("nonsense", False),
        ("a.b.c", False),
        ("e30.e30.AA", False),
        ("\u0430.b.c", False),
        ("x" * 9_000, False),
    ],
)
def test_an_assertion_is_told_from_what_is_none_without_a_key(
    assertion: str, *, named: bool
) -> None:
    assert names_algorithm(assertion) is named


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed_with_its_public_key() -> str:
    """The public key taken for a shared secret: what a confusion of algorithms would accept."""
    signed_part = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(CLAIMS)}"
    mac = hmac.digest(RSA.as_pem(private=False), signed_part.encode(), "sha256")
    return f"{signed_part}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "assertion",
    [
        f"{encoded({'alg': 'none'})}.{encoded(CLAIMS)}.",
        f"{encoded({'alg': 'None', 'kid': 'ec'})}.{encoded(CLAIMS)}.",
        signed(EC, "ES256", kid="nobody"),
        signed(EC, "ES256", kid=None),
        signed(RSA, "RS256", kid="ec"),
        signed(RSA, "RS384"),
        signed(EC, "ES256", jwk=EC.as_dict(private=False), kid="okp"),
        signed(EC, "ES256")[:-4] + "AAAA",
        signed(EC, "ES256").replace(".", ".e30", 1),
        jwt.encode({"alg": "ES256", "kid": "ec"}, {"x": "a" * 9_000}, EC),
        "",
        "a.b",
        "a.b.c.d.e",
        "é.b.c",
        "[" * 5_000,
        f"{encoded([1])}.{encoded(CLAIMS)}.AA",
        f"{encoded({'alg': 'ES256', 'kid': ['ec']})}.{encoded(CLAIMS)}.AA",
        f"{encoded({'alg': ['ES256'], 'kid': 'ec'})}.{encoded(CLAIMS)}.AA",
        f"{encoded({'alg': 'ES256', 'kid': 'ec', 'crit': ['b64'], 'b64': False})}.x.AA",
        signed_with_its_public_key(),
    ],
    ids=count(),
)
def test_whatever_no_key_of_the_client_has_signed_is_refused(assertion: str) -> None:
    with pytest.raises(AssertionRefusedError):
        signed_claims(assertion, public(EC, OKP, RSA))


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": []},
        {"keys": {}},
        {"keys": ["x"]},
        {"keys": [EC.as_dict(private=True)]},
        {"keys": [RSA.as_dict(private=True)]},
        {"keys": [OctKey.generate_key(256).as_dict(private=True)]},
        {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]},
        {"keys": [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}]},
        {"keys": [{}]},
        public(ECKey.generate_key("P-384")),
        public(OKPKey.generate_key("X25519")),
        public(*[EC] * 11),
        public(EC, ECKey.generate_key("P-256", {"kid": "ec"})),
        {"keys": [{**EC.as_dict(private=False), "kid": None}, OKP.as_dict(private=False)]},
    ],
)
def test_keys_that_are_private_weak_unknown_or_ambiguous_are_refused(keys: Jwks) -> None:
    with pytest.raises(UnusableKeysError):
        read_keys(keys)


def test_a_set_of_public_keys_is_read() -> None:
    assert isinstance(read_keys(public(EC, OKP, RSA)), KeySet)
