"""What a site's content looks like to us, however the site words it."""

import unicodedata
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """A search, already bounded."""

    keywords: str
    types: tuple[str, ...] = ()
    drupal_versions: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    sort: str | None = None
    limit: int = 10
    offset: int = 0

    def normalised(self) -> "SearchQuery":
        """The same search in one spelling: Unicode composed, single spaces, filters in order."""
        return replace(
            self,
            keywords=" ".join(unicodedata.normalize("NFC", self.keywords).split()),
            types=_in_order(self.types),
            drupal_versions=_in_order(self.drupal_versions),
            categories=_in_order(self.categories),
        )


def _in_order(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One result of a search."""

    content_id: str
    title: str
    url: str
    bundle: str | None = None
    summary: str | None = None
    score: float | None = None
    drupal_versions: tuple[str, ...] = ()
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of results; ``total`` is the site's count over all pages."""

    hits: tuple[SearchHit, ...]
    total: int
    offset: int
    age_seconds: float | None = None
    """Set on results that were kept: since the site found them for this person."""
    stands_in: bool = False
    """Whether they are shown because the site's search does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPage:
    """What the site itself has just found, and for which search."""

    query: SearchQuery
    page: SearchPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One tutorial, its body as Markdown."""

    content_id: str
    title: str
    url: str
    markdown: str
    bundle: str | None = None
    summary: str | None = None
    author: str | None = None
    created: str | None = None
    updated: str | None = None
    drupal_versions: tuple[str, ...] = ()
    category: str | None = None
    age_seconds: float | None = None
    """Set on a copy that stands in for a site that does not answer: since the site showed it."""
