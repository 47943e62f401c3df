"""What both doors are given: values that parsers, databases and header rules stumble over."""

import json
from typing import Any, Final

from hypothesis import strategies as st

from scripts.fuzzing.exchange import HeaderLines

ODD_TEXTS: Final = (
    "",
    " ",
    "\x00",
    "null",
    "-1",
    "9" * 400,
    "1e400",
    "a" * 3_000,
    "\u202e\u200b",
    "\U0001f600" * 20,
    "%00%ff%2e%2e%2f",
    "../../etc/passwd",
    "' OR 1=1 --",
    "{{7*7}}${7*7}",
    "<script>alert(1)</script>",
    "\r\nset-cookie: a=b",
)
HUGE_NUMBERS: Final = (2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**40)
_AROUND_LARGE: Final = len(b'{"method": ""}')
_HEADER_BYTES: Final = bytes(byte for byte in range(0x20, 0x100) if byte != 0x7F)


def texts() -> st.SearchStrategy[str]:
    """Any text, odd ones often; lone surrogates too."""
    return st.sampled_from(ODD_TEXTS) | st.text(st.characters(), max_size=40)


def sendable_texts() -> st.SearchStrategy[str]:
    """As ``texts``, without what UTF-8 cannot carry."""
    return texts().map(lambda text: text.encode("utf-8", "replace").decode())


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, numbers beyond every integer type too."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from(HUGE_NUMBERS)
        | st.floats()  # Python writes NaN and Infinity, which JSON does not know
        | texts()
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=8,
    )


def header_values() -> st.SearchStrategy[bytes]:
    """Bytes that may stand in a header (RFC 9110 section 5.5)."""
    anything = st.lists(st.sampled_from(_HEADER_BYTES), max_size=40).map(bytes)
    return anything | st.sampled_from((b"", b"*/*", b"a" * 4_000, b"\xff\xfe", b",,,;;;", b"0"))


def odd_headers(names: tuple[bytes, ...]) -> st.SearchStrategy[HeaderLines]:
    """A few of these headers, repeated ones too, with any value."""
    line = st.tuples(st.sampled_from(names), header_values())
    return st.lists(line, max_size=3).map(tuple)


def damaged(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes of ``whole`` with a piece cut out and another put in."""

    @st.composite
    def damage(draw: st.DrawFn) -> bytes:
        given = draw(whole)
        start = draw(st.integers(0, len(given)))
        end = draw(st.integers(start, min(start + 8, len(given))))
        return given[:start] + draw(st.binary(max_size=8)) + given[end:]

    return damage()


def odd_documents(bytes_max: int) -> st.SearchStrategy[bytes]:
    """Bodies that are hard to read as JSON, some larger than ``bytes_max``."""
    nested = st.integers(1, 5_000).map(lambda depth: b"[" * depth + b"]" * depth)
    sizes = st.sampled_from((bytes_max, bytes_max + 1, largest_size(bytes_max)))
    large = sizes.map(large_document)
    fixed = st.sampled_from(
        (b"", b"null", b"[]", b"{}", b'""', b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"1e999999")
    )
    return st.binary(max_size=200) | nested | large | fixed | json_values().map(as_json)


def largest_size(bytes_max: int) -> int:
    """The largest body that is sent where ``bytes_max`` are allowed."""
    return 2 * bytes_max


def large_document(size: int) -> bytes:
    """A JSON object of so many bytes."""
    return b'{"method": "%s"}' % (b"a" * (size - _AROUND_LARGE))


def as_json(value: Any) -> bytes:
    """JSON in ASCII; lone surrogates become escapes."""
    return json.dumps(value).encode()
