import re

from tests.promises.tree import ROOT

FOLDER = ROOT / "docs/decisions"
SECTIONS = ["Status", "Context", "Decision", "Consequences"]
RESERVED = range(25, 29)
OUR_FIRST = 29
LINES_MAX = 60
_STATUS = re.compile(r"(Accepted|Planned|Superseded by ADR-\d{3})\b")


def _records() -> dict[str, str]:
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(FOLDER.iterdir())
        if path.name != "index.md"
    }


def _number(name: str) -> int:
    match = re.fullmatch(r"ADR-(\d{3})-[a-z0-9-]+\.md", name)
    assert match, f"{name}: ADR-0NN-words-of-the-title.md"
    return int(match[1])


def test_records_have_a_number_of_their_own_and_ours_leave_the_reserved_ones() -> None:
    numbers = [_number(name) for name in _records()]

    assert len(numbers) == len(set(numbers))
    ours = [number for number in numbers if number not in RESERVED]
    # Numbers are given out when work begins, and records come in when it ends: gaps are no fault.
    assert all(number >= OUR_FIRST for number in ours)


def test_the_index_lists_exactly_the_records_under_their_titles() -> None:
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(ADR-\d{3})\]\(([^)]+)\) \| ([^|]+) \|", index, re.MULTILINE)

    assert [(name, f"# {number}: {title}") for number, name, title in listed] == [
        (name, text.splitlines()[0]) for name, text in _records().items()
    ]


def test_a_record_has_a_status_and_the_four_sections_on_half_a_page() -> None:
    for name, text in _records().items():
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS, name
        status = text.split("## Status", 1)[1].strip()
        assert _STATUS.match(status), name
        assert len(text.splitlines()) <= LINES_MAX, name
        assert text.count("\n- ") >= 3, f"{name}: consequences, the bad ones too"
