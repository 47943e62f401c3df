"""What a site's content looks like to us, however the site words it."""

from dataclasses import dataclass


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
