import pytest

from shared.observability.trace_context import TraceContext, parse, traceparent

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{PARENT}-01", True),
        (f"00-{TRACE}-{PARENT}-00", False),
        (f" 00-{TRACE}-{PARENT}-03 ", True),
        (f"cc-{TRACE}-{PARENT}-01-what-a-later-version-adds", True),
    ],
)
def test_a_trace_is_taken_over(header: str, sampled: bool) -> None:  # noqa: FBT001 - a case
    assert parse(header) == TraceContext(TRACE, PARENT, sampled)


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\nx: y",
    ],
)
def test_what_is_malformed_begins_no_trace(value: object) -> None:
    assert parse(value) is None


def test_the_next_one_is_told_the_trace_and_our_own_span() -> None:
    told = traceparent(TRACE, PARENT, sampled=True)

    assert parse(told) == TraceContext(TRACE, PARENT, sampled=True)
