"""An answer opens for the refresh token that earned it, and for no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.tokens import TokenKind, mint
from shared.vault.envelope import SealedTokenRefusedError
from shared.vault.sealed_answers import open_answer, seal_answer

TOKEN = "dmcp_rt_" + "a" * 43
# Format 1 as described in shared/vault/sealed_answers.py; the nonce is 00 01 ... 0b.
VECTOR = "01000102030405060708090a0b428fb593e568cdfacc8a991f1b2f5dcf9a00aaddd1d8bc"


def test_a_published_answer_opens() -> None:
    assert open_answer(bytes.fromhex(VECTOR), presented_token=TOKEN) == b'{"a":1}'


@given(plain=st.binary(max_size=1_000))
def test_what_was_sealed_comes_back(plain: bytes) -> None:
    sealed = seal_answer(plain, presented_token=TOKEN)

    assert open_answer(sealed, presented_token=TOKEN) == plain
    assert sealed != seal_answer(plain, presented_token=TOKEN)


def test_another_token_is_refused() -> None:
    sealed = seal_answer(b"answer", presented_token=mint(TokenKind.REFRESH))

    with pytest.raises(SealedTokenRefusedError):
        open_answer(sealed, presented_token=mint(TokenKind.REFRESH))


@given(bit=st.integers(0, (1 + 12 + 7 + 16) * 8 - 1))
def test_one_flipped_bit_anywhere_is_refused(bit: int) -> None:
    damaged = bytearray(bytes.fromhex(VECTOR))
    damaged[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(SealedTokenRefusedError):
        open_answer(bytes(damaged), presented_token=TOKEN)


@given(length=st.integers(0, 1 + 12 + 7 + 16 - 1))
def test_a_truncated_one_is_refused(length: int) -> None:
    with pytest.raises(SealedTokenRefusedError):
        open_answer(bytes.fromhex(VECTOR)[:length], presented_token=TOKEN)


def test_the_token_is_not_in_the_refusal() -> None:
    with pytest.raises(SealedTokenRefusedError) as caught:
        open_answer(b"", presented_token=TOKEN)

    assert TOKEN not in f"{caught.value} {caught.value!r} {caught.value.facts}"
