"""A pair survives the trip through bytes; whatever else is read there is refused unquoted."""

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import UpstreamSubject
from shared.vault.envelope import SealedTokenRefusedError
from shared.vault.pair_codec import decode_pair, encode_pair

CANARY = "canary-of-a-token"

pairs = st.builds(
    UpstreamPair,
    access_token=st.text(),
    refresh_token=st.none() | st.text(),
    life_seconds=st.integers(0, 2**31),
    subject=st.text().map(UpstreamSubject),
)


@given(pair=pairs)
def test_a_pair_comes_back_as_it_was(pair: UpstreamPair) -> None:
    assert decode_pair(encode_pair(pair)) == pair


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\xff",
        CANARY.encode(),
        b"[]",
        b'"text"',
        b"null",
        json.dumps({"v": 1, "access_token": CANARY}).encode(),
        json.dumps({"v": 2, "access_token": CANARY}).encode(),
        f'{{"v":1,"access_token":"{CANARY}'.encode(),
    ],
)
def test_anything_else_is_refused_and_not_quoted(plain: bytes) -> None:
    with pytest.raises(SealedTokenRefusedError) as caught:
        decode_pair(plain)

    said = [*traceback.format_exception_only(caught.value), str(caught.value.facts)]
    assert caught.value.__cause__ is None
    assert CANARY not in "".join(said)


def test_a_pair_does_not_show_its_tokens() -> None:
    pair = UpstreamPair(
        access_token=CANARY, refresh_token=CANARY, life_seconds=300, subject=UpstreamSubject("17")
    )

    assert CANARY not in f"{pair!r} {pair}"
