"""Which spellings are names of hosts on the public internet."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.host_names import HOST_LENGTH_MAX, is_public_name


def punycode(word: str) -> str:
    """A host with ``word`` as a label, however dishonest."""
    return f"xn--{word.encode('punycode').decode('ascii')}.example"


@pytest.mark.parametrize(
    "host",
    [
        "app.example",
        "a.b",
        "www.cursor.com",
        "staging_1.example-app.com",
        "1.2.3.app",
        "xn--bcher-kva.example",
        "app.xn--p1ai",
        punycode("m\u00fcnchen"),
        punycode("\u044f\u043d\u0434\u0435\u043a\u0441"),
        punycode("\u65e5\u672c"),
        punycode("\u30c6\u30b9\u30c8\u65e5\u672c"),
        f"{'a' * 63}.example",
        f"{'a.' * 123}example",
    ],
)
def test_a_name_of_two_labels_or_more_is_public(host: str) -> None:
    assert len(host) <= HOST_LENGTH_MAX
    assert is_public_name(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "app",
        "localhost",
        "app.localhost",
        "app.example.",
        ".app.example",
        "app..example",
        "App.example",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "1.0x7f",
        "::1",
        "app.example:443",
        "-app.example",
        "app-.example",
        "app.-example",
        "app_.e_x",
        f"{'a' * 64}.example",
        f"{'a.' * 124}example",
        "ab--cd.example",
        "app.example\n",
    ],
)
def test_every_other_spelling_is_not(host: str) -> None:
    assert not is_public_name(host)


@pytest.mark.parametrize(
    "word",
    [
        "app",
        "\u0430pp",  # Cyrillic, then Latin
        "pa\u0443pal",
        "\u65e5\u672cab",
        "\ufb01x",  # a ligature
        "u\u0308ber",  # not composed
        "1\u0660",  # digits of two scripts
        "\u200dab",
        "\u2028",
        "\ud800",
    ],
)
def test_punycode_that_mixes_scripts_or_was_not_needed_is_no_name(word: str) -> None:
    assert not is_public_name(punycode(word))


@pytest.mark.parametrize("label", ["xn--", "xn---", "xn--99999999999", "xn--a-b--"])
def test_punycode_that_nobody_can_read_is_no_name(label: str) -> None:
    assert not is_public_name(f"{label}.example")


@given(st.text(alphabet="abcxn0129-_.", max_size=60))
@example("xn--0.xn--0")
def test_no_text_breaks_the_rule(host: str) -> None:
    if is_public_name(host):
        assert "." in host
        assert not host.endswith(".")
