"""Everything that can be searched and read on the fake site, from the files beside this one.

Read-only; never changed by a request.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scripts.fake_drupal.content.handbook import handbook_text
from scripts.fake_drupal.content.markup import to_html

FOLDER = Path(__file__).parent / "tutorials"
SEPARATOR = "\n---\n"
HANDBOOK_MARK = "{{handbook}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentItem:
    """A published node; times are ISO 8601."""

    content_id: str
    slug: str
    bundle: str
    title: str
    summary: str
    html: str
    plain: str
    author: str
    created: str
    updated: str
    drupal_versions: tuple[str, ...]
    category: str
    member_only: bool = False

    @property
    def path(self) -> str:
        """Its page on the site."""
        return f"/{self.bundle}/{self.slug}"

    @property
    def teaser(self) -> str:
        """What everybody may see of it: the first paragraph."""
        return self.html.split("</p>", 1)[0] + "</p>"


@lru_cache(maxsize=1)
def _items() -> tuple[ContentItem, ...]:
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.md")))


def load_catalogue() -> dict[str, ContentItem]:
    """All items by id, in the order of their ids."""
    ordered = sorted(_items(), key=lambda item: int(item.content_id))
    return {item.content_id: item for item in ordered}


def _read(path: Path) -> ContentItem:
    head, _, text = path.read_text(encoding="utf-8").partition(SEPARATOR)
    fields = dict(line.split(": ", 1) for line in head.splitlines() if line.strip())
    text = text.replace(HANDBOOK_MARK, handbook_text())
    return ContentItem(
        content_id=fields["id"],
        slug=path.stem,
        bundle=fields["bundle"],
        title=fields["title"],
        summary=fields["summary"],
        html=to_html(text),
        plain=text,
        author=fields["author"],
        created=fields["created"],
        updated=fields["updated"],
        drupal_versions=tuple(fields["versions"].split()),
        category=fields["category"],
        member_only=fields.get("access") == "member",
    )
