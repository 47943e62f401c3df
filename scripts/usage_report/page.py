"""The report as one HTML file: no script, nothing loaded from elsewhere."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scripts.usage_report import charts, ratios
from scripts.usage_report.charts import Axes, Series
from scripts.usage_report.figures import ACCESS_TITLES, FAMILY, FAMILY_TITLES, Report
from scripts.usage_report.ratios import RATIOS
from scripts.usage_report.resources import SPECS, Resource
from scripts.usage_report.scales import number
from scripts.usage_report.text import people_text
from shared.state.usage_days import PEOPLE_MIN, QUERY_PEOPLE_MIN

_FOLDER: Final = Path(__file__).parent
_environment = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.filters["number"] = number
_environment.filters["people"] = people_text
DAY_FOOT: Final = "day, UTC"
HOUR_NAMES: Final = tuple(f"{hour:02}" for hour in range(24))


def written(report: Report) -> str:
    """The page."""
    page = _environment.get_template("page.html")
    return page.render(
        report=report,
        style=Markup((_FOLDER / "page.css").read_text("utf-8")),  # noqa: S704 - our own file
        charts=_charts(report),
        bar=charts.bar,
        ratios=ratios,
        all_ratios=RATIOS,
        access_titles=ACCESS_TITLES,
        families=_families(report),
        people_min=PEOPLE_MIN,
        query_people_min=QUERY_PEOPLE_MIN,
    )


def _day_names(report: Report) -> list[str]:
    return [f"{day:%-d %b}" for day in report.day_names]


def _charts(report: Report) -> dict[str, Any]:
    return {
        "searches": _searches(report),
        "relevance": _relevance(report),
        "people": _people(report),
        "week": charts.heat_map(
            "Mean calls by weekday and hour of the day.",
            report.week(),
            unit="calls per hour",
        ),
        "day": _typical_day(report),
    }


def _searches(report: Report) -> Markup:
    days = report.days()
    axes = Axes(
        summary="Searches by day, and those of them that found nothing.",
        names=_day_names(report),
        unit="searches per day",
        foot=DAY_FOOT,
    )
    return charts.columns(
        axes,
        Series(
            name="without a result",
            values=[day.empty_searches for day in days],
            tone="tone-2",
        ),
        Series(
            name="with results",
            values=[day.searches - day.empty_searches for day in days],
            tone="tone-1",
        ),
    )


def _relevance(report: Report) -> Markup:
    days = report.days()
    axes = Axes(
        summary="Share of pages of results from which something was read, by day.",
        names=_day_names(report),
        unit="% of pages with results",
        foot=DAY_FOOT,
    )
    shares = [ratios.READ_AFTER_SEARCH.of(day).value for day in days]
    values = [None if share is None else share * 100 for share in shares]
    series = Series(name="read after search", values=values, tone="tone-1")
    return charts.lines(axes, series, highest=100)


def _people(report: Report) -> Markup:
    axes = Axes(
        summary="Active people over a day, seven days and 28 days, by day.",
        names=_day_names(report),
        unit="active people",
        foot=f"{DAY_FOOT} (end of the window)",
    )
    series = [
        Series(
            name=name,
            values=[None if one is None else one.people for one in report.people(days)],
            tone=tone,
        )
        for days, name, tone in (
            (28, "over 28 days", "tone-1"),
            (7, "over 7 days", "tone-3"),
            (1, "over a day", "tone-2"),
        )
    ]
    return charts.lines(axes, *series)


def _typical_day(report: Report) -> list[tuple[str, Markup]]:
    """Calls by hour, and under it each resource on the same hours."""
    found = [("Calls", _by_hour("Calls", "per hour", report.calls_by_hour()))]
    if report.used is not None:
        for resource in Resource:
            spec = SPECS[resource]
            values = report.resource_by_hour(resource)
            found.append((spec.title, _by_hour(spec.title, spec.unit, values)))
    return found


def _by_hour(title: str, unit: str, values: list[float]) -> Markup:
    axes = Axes(
        summary=f"{title} by hour of the day.",
        names=HOUR_NAMES,
        unit=unit,
        foot="hour of the day, UTC",
        whole=False,
        small=True,
    )
    return charts.columns(axes, Series(name=unit, values=values, tone="tone-1"))


def _families(report: Report) -> list[dict[str, Any]]:
    most = max((one.calls for one in report.usage.families), default=0)
    found = []
    for one in report.usage.families:
        people = report.people_at_end(f"{FAMILY}{one.name}")
        found.append(
            {
                "title": FAMILY_TITLES.get(one.name, one.name),
                "calls": one.calls,
                "share": one.calls / most if most else 0,
                "served": ratios.SERVED_CALLS.of(one).text,
                "people": people.people if people else None,
                "returning": people.returning_people if people else None,
            }
        )
    return found
