import sys
from pathlib import Path

import pytest

from scripts.artifacts import probe

SOURCE = """
import one
from . import two
from .three import four
from five.six import seven, eight
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import never
else:
    import otherwise

def lazily():
    import nine
    try:
        from ten import eleven
    except ImportError:
        pass
"""


def test_every_import_is_seen_but_those_for_type_checkers() -> None:
    found = set(probe.imported_by(SOURCE, "pack.age"))

    assert found == {
        ("one", ""),
        ("pack.age", "two"),
        ("pack.age.three", "four"),
        ("five.six", "seven"),
        ("five.six", "eight"),
        ("typing", "TYPE_CHECKING"),
        ("otherwise", ""),
        ("nine", ""),
        ("ten", "eleven"),
    }


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of ours in a folder of its own, in place of the real one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "shared"]:
        monkeypatch.delitem(sys.modules, name)
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_a_lazy_import_of_what_is_not_there_is_found(shared: Path) -> None:
    (shared / "probed.py").write_text("def f():\n    import not_packed_with_us\n")

    with pytest.raises(ModuleNotFoundError, match="not_packed_with_us"):
        probe.import_everything(["shared.probed"])


def test_modules_of_ours_are_followed_to_the_end(shared: Path) -> None:
    (shared / "probed.py").write_text("def f():\n    from shared import behind\n")
    (shared / "behind.py").write_text("import json\n")

    assert probe.import_everything(["shared.probed"]) == [
        "shared",
        "shared.behind",
        "shared.probed",
    ]


def test_a_module_from_outside_of_the_artifact_is_told(tmp_path: Path) -> None:
    assert __file__ in probe.from_elsewhere(tmp_path)
