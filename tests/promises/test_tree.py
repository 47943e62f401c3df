import ast
import re
from pathlib import Path

import pytest

from scripts import docs_tables
from tests.promises.tree import ROOT, files, texts

LOCK_FILES = {
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "pdm.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
}
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.$}/-])/(?:work|home/\w+|Users/\w+|root)/"),
    "a folder outside of the tree": re.compile(r"(?:\.\./){1,9}shared/\w+\.md"),
    "a package registry's host": re.compile(
        r"pythonhosted\.org|pypi\.org|npmjs\.org|extra-index-url"
    ),
    "a reference that a reader cannot follow": re.compile(
        r"\b[Dd]ecisions? D\d|\b[Ii]ssue \d|design\.md"
    ),
    "a mark of unfinished work": re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b"),
}
THIS_FILE = Path(__file__).relative_to(ROOT)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        if path != THIS_FILE
        for number, line in enumerate(text.splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]

    assert found == []


def test_there_are_no_lock_files() -> None:
    assert [path for path in files() if path.name in LOCK_FILES] == []


@pytest.mark.parametrize(
    "package",
    [path for path in files() if path.name == "__init__.py" and path.parts[0] != "tests"],
    ids=str,
)
def test_every_package_says_what_it_is_for(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / package).read_text(encoding="utf-8")))

    assert docstring
    assert docstring.split("\n", 1)[0].endswith(".")


def test_the_map_names_every_folder() -> None:
    folders = {
        parent.as_posix()
        for path in files()
        for parent in path.parents
        if parent.parts and (parent.parts[0] != "tests" or len(parent.parts) <= 2)
    }
    mapped = set(re.findall(r"^- `([^`]+)/`: \S", docs_tables.folders_list(), re.MULTILINE))
    deep_code_or_data = {
        folder
        for folder in folders - mapped
        if len(Path(folder).parts) > 2 and any(folder.startswith(f"{known}/") for known in mapped)
    }

    assert folders - mapped - deep_code_or_data == set()
    assert mapped - folders == set()
