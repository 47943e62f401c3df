"""Opaque tokens and PKCE."""

import pytest

from shared.domain import pkce, tokens
from shared.domain.tokens import TokenKind

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_published_example_of_rfc_7636_verifies() -> None:
    assert pkce.challenge_of(VERIFIER) == CHALLENGE
    assert pkce.verifies(VERIFIER, CHALLENGE)


@pytest.mark.parametrize("verifier", ["", "short", VERIFIER[:-1], VERIFIER + "é", "a" * 129])
def test_a_malformed_verifier_never_verifies(verifier: str) -> None:
    assert not pkce.verifies(verifier, CHALLENGE)


@pytest.mark.parametrize("challenge", ["", "a" * 42, "a" * 44, "a" * 42 + "=", "a" * 42 + "\n"])
def test_a_challenge_is_exactly_43_characters_of_base64url(challenge: str) -> None:
    assert not pkce.is_challenge(challenge)


@pytest.mark.parametrize("kind", list(TokenKind))
def test_a_minted_token_has_its_kind_s_shape_and_no_other(kind: TokenKind) -> None:
    token = tokens.mint(kind)

    assert tokens.has_shape(token, kind)
    assert [other for other in TokenKind if tokens.has_shape(token, other)] == [kind]


def test_any_text_can_be_hashed_even_lone_surrogates() -> None:
    assert len(tokens.hash_token("\ud800\x00")) == 32


@pytest.mark.parametrize("text", ["", "dmcp_at_", "dmcp_at_" + "a" * 42, "Bearer x", "a" * 100_000])
def test_other_text_has_no_token_s_shape(text: str) -> None:
    assert not tokens.has_shape(text, TokenKind.ACCESS)
