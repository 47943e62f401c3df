"""What the site answered, as Markdown for the model and as structured content.

Never more than a bounded number of characters: what does not fit is offered as a continuation.
"""

from urllib.parse import quote

from pydantic import Field

from functions.mcp_endpoint.tools.continuation import part_of
from functions.mcp_endpoint.tools.definitions import LinkedResource, ToolOutput, ToolResult
from shared.domain.content import Document, FoundPage, SearchHit, SearchPage
from shared.domain.usage import searched

DOCUMENT_CHARACTERS_MAX = 40_000
SUMMARY_CHARACTERS_MAX = 500
TUTORIAL_URI_START = "drupal://tutorial/"


class SearchOutputHit(ToolOutput):
    """One result."""

    id: str = Field(description="For get_tutorial.")
    title: str
    url: str
    type: str | None = None
    summary: str | None = None
    drupal_versions: list[str] = Field(default_factory=list)
    category: str | None = None


class SearchOutput(ToolOutput):
    """Structured content of ``search_tutorials``."""

    results: list[SearchOutputHit]
    total: int = Field(description="Results over all pages.")
    offset: int
    next_offset: int | None = Field(
        default=None, description="Present if there are more: the offset to ask for."
    )
    results_age_seconds: int | None = Field(
        default=None,
        description="Present if the site was not asked, or does not answer: it found these for "
        "this account so long ago.",
    )


class DocumentOutput(ToolOutput):
    """Structured content of ``get_tutorial``."""

    id: str
    title: str
    url: str
    markdown: str = Field(description="The text, or this part of it.")
    total_characters: int = Field(description="Length of the whole text.")
    continue_from: int | None = Field(
        default=None, description="Present if there is more: call again with it."
    )
    type: str | None = None
    summary: str | None = None
    author: str | None = None
    created: str | None = None
    updated: str | None = None
    drupal_versions: list[str] = Field(default_factory=list)
    category: str | None = None
    copy_age_seconds: int | None = Field(
        default=None,
        description="Present if the site does not answer: this is a copy of what it showed to "
        "this account so long ago.",
    )


def search_result(found: FoundPage, *, keywords: str) -> ToolResult:
    """A page of results for ``keywords``."""
    page = found.page
    after = page.offset + len(page.hits)
    output = SearchOutput(
        results=[_output_hit(hit) for hit in page.hits],
        total=page.total,
        offset=page.offset,
        next_offset=after if page.hits and after < page.total else None,
        results_age_seconds=None if page.age_seconds is None else round(page.age_seconds),
    )
    notice = "" if page.age_seconds is None else f"> {age_notice(page)}\n\n"
    return ToolResult(
        text=notice + _search_text(output),
        structured=output,
        links=tuple(
            LinkedResource(uri=tutorial_uri(hit.id), title=hit.title) for hit in output.results
        ),
        result_count=len(output.results),
        searched=searched(keywords, page),
        found=found if page.age_seconds is None else None,
    )


def document_result(document: Document, *, start: int) -> ToolResult:
    """A document's part that begins at character ``start``."""
    part = part_of(document.markdown, start=start, characters_max=DOCUMENT_CHARACTERS_MAX)
    output = DocumentOutput(
        id=document.content_id,
        title=document.title,
        url=document.url,
        markdown=part.text,
        total_characters=len(document.markdown),
        continue_from=part.next_start,
        type=document.bundle,
        summary=_short(document.summary),
        author=document.author,
        created=document.created,
        updated=document.updated,
        drupal_versions=list(document.drupal_versions),
        category=document.category,
        copy_age_seconds=None if document.age_seconds is None else round(document.age_seconds),
    )
    return ToolResult(
        text=_document_text(output, start=start),
        structured=output,
        content_id=document.content_id,
        result_count=1,
        continues=start > 0,
        shown=document if document.age_seconds is None else None,
    )


def copy_notice(age_seconds: float) -> str:
    """That this is a copy, and how old, in words for a model and a person."""
    return f"> The site does not answer at the moment. This is a copy from {_age(age_seconds)} ago."


def age_notice(page: SearchPage) -> str:
    """How old these results are, in words for a model and a person."""
    age = _age(page.age_seconds or 0.0)
    if page.stands_in:
        return f"Search does not answer at the moment. These results are from {age} ago."
    return f"These results are from {age} ago."


def _age(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"


def tutorial_uri(content_id: str) -> str:
    """The address of a tutorial as a resource of ours."""
    return f"{TUTORIAL_URI_START}{quote(content_id, safe='')}"


def _output_hit(hit: SearchHit) -> SearchOutputHit:
    return SearchOutputHit(
        id=hit.content_id,
        title=hit.title,
        url=hit.url,
        type=hit.bundle,
        summary=_short(hit.summary),
        drupal_versions=list(hit.drupal_versions),
        category=hit.category,
    )


def _short(summary: str | None) -> str | None:
    if summary is None or len(summary) <= SUMMARY_CHARACTERS_MAX:
        return summary
    return summary[: SUMMARY_CHARACTERS_MAX - 1].rstrip() + "…"


def _facts(kind: str | None, versions: list[str], category: str | None) -> str:
    drupal = f"Drupal {', '.join(versions)}" if versions else None
    return ", ".join(fact for fact in (kind, drupal, category) if fact)


def _search_text(output: SearchOutput) -> str:
    if not output.results:
        return (
            "No results. Try fewer or other words, or fewer filters."
            if output.offset == 0
            else f"No more results: there are {output.total} in all."
        )
    first, last = output.offset + 1, output.offset + len(output.results)
    lines = [f"Results {first} to {last} of {output.total}:", ""]
    for number, hit in enumerate(output.results, start=first):
        lines.append(f"{number}. **{hit.title}**")
        facts = _facts(hit.type, hit.drupal_versions, hit.category)
        lines += [f"   {line}" for line in (facts, hit.summary) if line]
        lines.append(f"   id: `{hit.id}` · {hit.url}")
    if output.next_offset is not None:
        lines += ["", f"There are more: call again with offset {output.next_offset}."]
    return "\n".join(lines)


def _document_text(output: DocumentOutput, *, start: int) -> str:
    lines = _document_head(output) if start == 0 else []
    if output.copy_age_seconds is not None:
        lines = [copy_notice(output.copy_age_seconds), "", *lines]
    lines.append(output.markdown)
    if output.continue_from is not None:
        end = start + len(output.markdown)
        read = f"Characters {start} to {end} of {output.total_characters}."
        more = f"call get_tutorial with the same id and continue_from {output.continue_from}."
        lines += ["", "---", f"{read} To go on, {more}"]
    return "\n".join(lines)


def _document_head(output: DocumentOutput) -> list[str]:
    facts = _facts(output.type, output.drupal_versions, output.category)
    updated = f"updated {output.updated}" if output.updated else ""
    about = ", ".join(fact for fact in (facts, updated) if fact)
    return [f"# {output.title}", "", output.url, *([about] if about else []), ""]
