"""The document of requirements names every wish once, and nothing that is not there."""

import re

import pytest

from tests.promises.tree import ROOT

WISHES_MAX = 70
TEXT = (ROOT / "docs" / "requirements.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| R\d", line)
]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])


def test_every_wish_has_one_row_in_order() -> None:
    assert [row[0] for row in ROWS] == [f"R{number}" for number in range(1, WISHES_MAX + 1)]


@every_row
def test_a_row_says_how_far_it_is_and_proves_it(row: list[str]) -> None:
    _, wish, state, code, tests, documents = row
    word = re.match(r"(built|in part|planned)\b", state)

    assert wish
    assert word is not None
    if word[1] != "planned":
        assert code
        assert tests
        assert documents
    if word[1] == "in part":
        assert ":" in state, "say what is missing"


@every_row
def test_code_and_tests_are_where_they_are_said_to_be(row: list[str]) -> None:
    for path in re.findall(r"`([^`]+)`", row[3] + row[4]):
        assert (ROOT / path).exists(), path
