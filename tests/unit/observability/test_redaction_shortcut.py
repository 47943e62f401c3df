import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.observability import redaction
from shared.observability.redaction import redact_text
from tests.unit.observability import canaries

PIECES = st.sampled_from(
    [
        *("dmcp_at_", "DMCP_", "eyJ", "eyj", "def50200", "bear", "bearer ", "Basic ", "oauth"),
        *(
            "authorization",
            "Cookie: ",
            "__Host-",
            "SESS",
            "SSESS",
            "Se\u017fs",
            "to",
            "ken",
            "code",
        ),
        *(
            "c\u00f6de",
            "state",
            "=",
            "%3D",
            "%253D",
            ":",
            "://",
            "@",
            " ",
            '"',
            "'",
            "\\",
            "&",
            "?",
        ),
        *("abcdef0123456789", "ABCDEFGH", "\u212a", "\u0130", "password", "x", "/", ".", ",", "\n"),
    ]
)


def _in_full(text: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_is_suspicious", lambda _text: True)
        return redact_text(text)


@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=12).map("".join))
def test_a_text_that_is_let_through_at_once_holds_nothing_that_a_pattern_finds(text: str) -> None:
    assert redact_text(text) == _in_full(text)


@pytest.mark.parametrize("name", canaries.ALL)
def test_a_secret_is_never_let_through_at_once(name: str) -> None:
    text, _ = canaries.ALL[name]

    assert redaction._is_suspicious(text)
