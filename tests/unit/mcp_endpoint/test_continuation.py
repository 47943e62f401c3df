"""Parts of a text."""

from hypothesis import given
from hypothesis import strategies as st

from functions.mcp_endpoint.tools.continuation import part_of

TEXTS = st.text(alphabet=st.sampled_from("ab \n`~#"), max_size=400)


@given(text=TEXTS, characters_max=st.integers(min_value=2, max_value=60))
def test_the_parts_put_together_are_the_text(text: str, characters_max: int) -> None:
    parts: list[str] = []
    start: int | None = 0
    while start is not None:
        part = part_of(text, start=start, characters_max=characters_max)
        parts.append(part.text)
        start = part.next_start

    assert "".join(parts) == text
    assert all(0 < len(part) <= characters_max for part in parts[:-1])


def test_a_cut_falls_between_paragraphs() -> None:
    part = part_of("one two\n\nthree four\n\nfive six", start=0, characters_max=24)

    assert (part.text, part.next_start) == ("one two\n\nthree four\n\n", 21)


def test_a_cut_does_not_split_a_code_block_if_it_can_help_it() -> None:
    text = "Some words before the block.\n\n```php\n$a = 1;\n\n$b = 2;\n```\n\nAfter."

    part = part_of(text, start=0, characters_max=46)

    assert part.text == "Some words before the block.\n\n"


def test_a_text_without_any_break_is_cut_all_the_same() -> None:
    assert part_of("x" * 30, start=10, characters_max=10).text == "x" * 10


def test_an_endless_code_block_is_cut_in_no_time() -> None:
    """With a look at all that stands before at every blank line, this would take hours."""
    text = "```\n" + "x\n\n" * 1_000_000

    part = part_of(text, start=2_000_000, characters_max=500_000)

    assert part.next_start is not None
    assert len(part.text) <= 500_000
