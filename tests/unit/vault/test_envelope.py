"""The sealed form: what was sealed comes back, and every way in which it must not open."""

import dataclasses
import struct
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vault import envelope
from shared.vault.envelope import SealBinding, SealedTokenRefusedError, SealingKey

DATA_KEY = bytes(range(32))
SALT = bytes(range(32, 64))
NONCE = bytes(range(64, 76))
BINDING = SealBinding(
    table="grants",
    row_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    user_id=UUID("01890a5d-ac96-7c3c-a9a0-3f5a2f0a4f11"),
    column="pair_ciphertext",
    generation=7,
)
PLAIN = b"dmcp test vector"

bindings = st.builds(
    SealBinding,
    table=st.text(max_size=20),
    row_id=st.uuids(),
    user_id=st.uuids(),
    column=st.text(max_size=20),
    generation=st.integers(0, 2**63 - 1),
)


def key(
    *, stage: str = "prod", generation: int = 3, salt: bytes = SALT, data_key: bytes = DATA_KEY
) -> SealingKey:
    return envelope.person_key(data_key, stage=stage, key_generation=generation, user_salt=salt)


def sealed() -> bytes:
    return envelope.seal(PLAIN, key=key(), binding=BINDING, nonce=NONCE)


def reason(caught: pytest.ExceptionInfo[SealedTokenRefusedError]) -> object:
    return caught.value.facts["reason"]


@given(plain=st.binary(max_size=2_000), binding=bindings)
def test_what_was_sealed_comes_back(plain: bytes, binding: SealBinding) -> None:
    assert (
        envelope.unseal(
            envelope.seal(plain, key=key(), binding=binding), key=key(), binding=binding
        )
        == plain
    )


def test_no_two_seals_are_alike() -> None:
    made = {envelope.seal(PLAIN, key=key(), binding=BINDING) for _ in range(100)}

    assert len(made) == 100
    assert not [one for one in made if PLAIN in one]


@pytest.mark.parametrize("field", [one.name for one in dataclasses.fields(SealBinding)])
@given(other=bindings)
def test_another_place_does_not_open_it(field: str, other: SealBinding) -> None:
    moved: Any = getattr(other, field)
    if moved == getattr(BINDING, field):
        return

    with pytest.raises(SealedTokenRefusedError):
        envelope.unseal(sealed(), key=key(), binding=dataclasses.replace(BINDING, **{field: moved}))


@given(left=bindings, right=bindings)
def test_two_places_are_never_written_alike(left: SealBinding, right: SealBinding) -> None:
    alike = envelope.associated_data(key(), left) == envelope.associated_data(key(), right)

    assert alike == (left == right)


@given(text=st.text(min_size=2, max_size=12), data=st.data())
def test_a_letter_moved_from_one_field_to_its_neighbour_shows(
    text: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(text) - 1))
    moved = SealingKey(stage=text[:cut], key_generation=3, secret=b"")
    whole = SealingKey(stage=text, key_generation=3, secret=b"")
    short = dataclasses.replace(BINDING, table="")
    long = dataclasses.replace(BINDING, table=text[cut:])

    assert envelope.associated_data(moved, long) != envelope.associated_data(whole, short)


@pytest.mark.parametrize(
    "other",
    [
        key(stage="dev"),
        key(salt=bytes(32)),
        key(data_key=bytes(32)),
    ],
    ids=["stage", "salt", "data key"],
)
def test_another_key_or_stage_does_not_open_it(other: SealingKey) -> None:
    with pytest.raises(SealedTokenRefusedError) as caught:
        envelope.unseal(sealed(), key=other, binding=BINDING)

    assert reason(caught) == "not_authentic"


def test_another_key_generation_does_not_open_it() -> None:
    with pytest.raises(SealedTokenRefusedError) as caught:
        envelope.unseal(sealed(), key=key(generation=4), binding=BINDING)

    assert reason(caught) == "key_generation"


def test_a_generation_rewritten_in_the_header_does_not_open_it() -> None:
    forged = bytes([1]) + struct.pack(">I", 4) + sealed()[5:]

    with pytest.raises(SealedTokenRefusedError) as caught:
        envelope.unseal(forged, key=key(generation=4), binding=BINDING)

    assert reason(caught) == "not_authentic"


@given(bit=st.integers(0, len(sealed()) * 8 - 1))
def test_one_flipped_bit_anywhere_is_refused(bit: int) -> None:
    damaged = bytearray(sealed())
    damaged[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(SealedTokenRefusedError):
        envelope.unseal(bytes(damaged), key=key(), binding=BINDING)


@given(length=st.integers(0, len(sealed()) - 1))
def test_a_truncated_one_is_refused(length: int) -> None:
    with pytest.raises(SealedTokenRefusedError):
        envelope.unseal(sealed()[:length], key=key(), binding=BINDING)


@given(noise=st.binary(max_size=200))
def test_anything_else_is_refused(noise: bytes) -> None:
    with pytest.raises(SealedTokenRefusedError):
        envelope.unseal(noise, key=key(), binding=BINDING)


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_without_the_salt_there_is_no_key(salt: bytes) -> None:
    with pytest.raises(SealedTokenRefusedError) as caught:
        key(salt=salt)

    assert reason(caught) == "no_key_material"


def test_a_key_shows_nothing_of_itself() -> None:
    shown = f"{key()!r} {key()}"

    assert shown.startswith("SealingKey(stage='prod', key_generation=3)")
    assert key().secret.hex() not in shown
    assert repr(key().secret) not in shown
