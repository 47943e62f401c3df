"""Text tables for a terminal and for documents: Markdown that reads well as it is."""

from collections.abc import Iterable, Sequence

from scripts.benchmarks.samples import Summary


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with columns of even width; the first column is text, the rest numbers."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    rule = [
        "-" * width if column == 0 else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(_padded(line, widths))} |" for line in lines)


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def number(value: float | None, *, digits: int = 0) -> str:
    """A number, or a dash where nothing was measured."""
    return "-" if value is None else f"{value:,.{digits}f}"


def times(value: float | None) -> str:
    """A ratio."""
    return "-" if value is None else f"{value:.2f}x"


def median(measured: Summary | None, *, digits: int = 0) -> str:
    """A median, or a dash where nothing was measured."""
    return number(measured.median if measured else None, digits=digits)


def spread(measured: Summary, *, digits: int = 0) -> str:
    """The least and the greatest value."""
    return f"{number(measured.least, digits=digits)}..{number(measured.most, digits=digits)}"
