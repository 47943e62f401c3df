import re
from pathlib import Path

import pytest

from tests.promises.tree import ROOT, markdown

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _links(text: str) -> list[str]:
    return [a or b for a, b in _LINK.findall(_CODE.sub("`x`", text))]


def _anchors(document: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


@pytest.mark.parametrize("document", markdown(), ids=str)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for link in _links(text):
        if link.startswith(("https://", "http://", "mailto:", "/")):
            continue  # Elsewhere, or an address of the site whose content the document is.
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document}: {link}"
        assert ROOT in target.resolve().parents, f"{document}: {link} leaves the tree"
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), f"{document}: {link}"
