import re
from functools import cache

import pytest

from tests.promises.tree import ROOT

DOCUMENT = ROOT / "docs/security.md"
REQUIREMENTS = {1: 2, 2: 3, 3: 5, 4: 16, 5: 5, 6: 2, 7: 3}
"""How many requirements each section of ASVS 5.0 chapter V10 has."""
PROVEN = {"met", "in part"}
VERDICTS = {*PROVEN, "deviation", "does not apply"}
_ROW = re.compile(r"^\| (10\.\d+\.\d+) \|(.+)\|$", re.MULTILINE)


def _rows() -> dict[str, list[str]]:
    found = _ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    rows = {number: [cell.strip() for cell in cells.split("|")] for number, cells in found}
    assert len(rows) == len(found), "a requirement has two rows"
    return rows


@cache
def _tests() -> frozenset[str]:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(name for text in texts for name in re.findall(r"def (test_\w+)\(", text))


def test_every_requirement_of_the_chapter_has_one_row() -> None:
    expected = [
        f"10.{section}.{number}"
        for section, count in REQUIREMENTS.items()
        for number in range(1, count + 1)
    ]

    assert list(_rows()) == expected


@pytest.mark.parametrize("number", _rows())
def test_a_row_names_what_exists_and_proves_what_it_claims(number: str) -> None:
    _level, _asks, verdict, where, tests = _rows()[number]

    assert verdict in VERDICTS
    named = re.findall(r"`(test_\w+)`", tests)
    assert set(named) <= _tests()
    assert named or verdict not in PROVEN
    paths = re.findall(r"`((?:functions|shared)/[^`]+)`", where)
    assert all((ROOT / path).exists() for path in paths)
    assert where
