"""The report for a terminal: plain tables."""

from collections.abc import Iterator, Sequence

from scripts.usage_report import ratios
from scripts.usage_report.figures import ACCESS_TITLES, FAMILY, FAMILY_TITLES, Report
from scripts.usage_report.resources import SPECS
from scripts.usage_report.scales import number

CELL_CHARACTERS_MAX = 48
TOO_FEW = "too few"

Rows = Sequence[Sequence[str]]


def written(report: Report) -> str:
    """The whole report."""
    return "\n".join(line for part in _parts(report) for line in part)


def table(title: str, heads: Sequence[str], rows: Rows) -> Iterator[str]:
    """A table whose first column is words and whose others are numbers."""
    yield ""
    yield title
    if not rows:
        yield "  nothing"
        return
    short = [[_cut(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [heads, *short]) for at in range(len(heads))]
    yield "  " + _line(heads, widths)
    yield "  " + "  ".join("-" * width for width in widths)
    for row in short:
        yield "  " + _line(row, widths)


def people_text(people: int | None) -> str:
    """A number of people, if there are enough to tell."""
    return TOO_FEW if people is None else number(people)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])


def _cut(cell: str) -> str:
    return cell if len(cell) <= CELL_CHARACTERS_MAX else f"{cell[: CELL_CHARACTERS_MAX - 1]}…"


def _parts(report: Report) -> Iterator[Iterator[str]]:
    period, usage = report.period, report.usage
    yield iter(
        [f"Usage from {period.since:%Y-%m-%d} to {period.until:%Y-%m-%d} (UTC, end excluded)"]
    )
    yield table(
        "Ratios",
        ("ratio", "value", "of"),
        [(one.ratio.title, one.text, number(one.denominator)) for one in report.measured()],
    )
    yield _searches(report)
    for title, queries in (
        ("Most frequent queries", usage.queries),
        ("Queries that found nothing", usage.empty_queries),
    ):
        yield table(
            title,
            ("query", "searches", "empty", "read after"),
            [
                (
                    one.query,
                    number(one.searches),
                    number(one.empty_searches),
                    ratios.READ_AFTER_SEARCH.of(one).text,
                )
                for one in queries
            ],
        )
    yield _content(report)
    yield _access(report)
    yield _families(report)
    yield _people(report)
    yield _resources(report)


def _searches(report: Report) -> Iterator[str]:
    return table(
        "Searches by day",
        ("day", "calls", "searches", "empty", "readings", "refused"),
        [
            (
                f"{day.name:%a %Y-%m-%d}",
                number(day.calls),
                number(day.searches),
                number(day.empty_searches),
                number(day.readings),
                number(day.refused_readings),
            )
            for day in report.days()
        ],
    )


def _content(report: Report) -> Iterator[str]:
    return table(
        "Most requested tutorials",
        ("tutorial", "readings", "refused", "mean rank"),
        [
            (
                one.title or one.content_id,
                number(one.readings),
                number(one.refused_readings),
                ratios.MEAN_RANK.of(one).text,
            )
            for one in report.usage.content
        ],
    )


def _access(report: Report) -> Iterator[str]:
    return table(
        "Memberships, as observed",
        ("people who are", "most in a day", "calls", "readings", "refused"),
        [
            (
                ACCESS_TITLES[one.access],
                people_text(one.people),
                number(one.calls),
                number(one.readings),
                number(one.refused_readings),
            )
            for one in report.access()
        ],
    )


def _families(report: Report) -> Iterator[str]:
    rows = []
    for one in report.usage.families:
        people = report.people_at_end(f"{FAMILY}{one.name}")
        told = people_text(people.people if people else None)
        rows.append((FAMILY_TITLES.get(one.name, one.name), number(one.calls), told))
    return table("Clients", ("client", "calls", "people in 28 days"), rows)


def _people(report: Report) -> Iterator[str]:
    rows = []
    for days, name in ((1, "last day"), (7, "last 7 days"), (28, "last 28 days")):
        found = report.people(days)[-1]
        active = people_text(found.people if found else 0)
        back = people_text(found.returning_people if found else 0)
        rows.append((name, active, back))
    return table("Active people at the end", ("over the", "active", "seen before"), rows)


def _resources(report: Report) -> Iterator[str]:
    if report.used is None:
        return iter(["", "What it took: not asked (--logs or --cloudwatch)"])
    calls = report.calls_by_hour()
    hours = [report.resource_by_hour(resource) for resource in SPECS]
    rows = [
        (f"{hour:02}:00", f"{calls[hour]:,.1f}", *(f"{values[hour]:,.1f}" for values in hours))
        for hour in range(24)
    ]
    heads = ("hour (UTC)", "calls", *(resource.value for resource in SPECS))
    return table(f"A mean day, by hour ({report.used.source})", heads, rows)
