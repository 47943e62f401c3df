"""The figures of a report, before anybody says how they look."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scripts.usage_report import ratios
from scripts.usage_report.ratios import Measured
from scripts.usage_report.resources import SPECS, Hourly, Resource, typical_day
from shared.state.usage_report import AccessCounted, Counts, PeopleCounted, Period, UsageCounted

EVERYBODY: Final = "all"
FAMILY: Final = "family:"
MONTH_DAYS: Final = 28
ACCESS_TITLES: Final = {
    "member": "Members",
    "free": "Not members",
    "unknown": "Unknown",
    "no_scope": "Unknown: no permission to read",
}
FAMILY_TITLES: Final = {
    "claude": "Claude",
    "claude_code": "Claude Code",
    "chatgpt": "ChatGPT",
    "codex": "Codex",
    "cursor": "Cursor",
    "vs_code": "Visual Studio Code",
    "mcp_inspector": "MCP Inspector",
    "mcp_remote": "mcp-remote",
    "gemini_cli": "Gemini CLI",
    "other": "Other clients",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the functions used, and where that is told."""

    source: str
    hourly: Hourly


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is counted of a period, and what it took; ``used`` is None where nobody was asked."""

    usage: UsageCounted
    used: Used | None = None

    @property
    def period(self) -> Period:
        """The days that are told of."""
        return self.usage.period

    @property
    def total(self) -> Counts:
        """All days together."""
        names = [name for name in Counts.__dataclass_fields__ if name != "name"]
        return Counts(
            **{name: sum(getattr(day, name) for day in self.usage.days) for name in names}
        )

    @property
    def day_names(self) -> list[datetime]:
        """Every day of the period, also those without a call."""
        return [self.period.since + timedelta(days=number) for number in range(self.period.days)]

    def days(self) -> list[Counts]:
        """One for each day."""
        known = {day.name: day for day in self.usage.days}
        return [known.get(day, Counts(name=day)) for day in self.day_names]

    def people(self, window_days: int, segment: str = EVERYBODY) -> list[PeopleCounted | None]:
        """Active people for each day."""
        known = {
            one.day: one
            for one in self.usage.people
            if (one.window_days, one.segment) == (window_days, segment)
        }
        return [known.get(day) for day in self.day_names]

    def people_at_end(self, segment: str = EVERYBODY) -> PeopleCounted | None:
        """Active people of the four weeks before the period's end."""
        return self.people(MONTH_DAYS, segment)[-1]

    def access(self) -> list[AccessCounted]:
        """In the order of the report, also those without a call."""
        known = {one.access: one for one in self.usage.access}
        return [
            known.get(
                name,
                AccessCounted(access=name, people=0, calls=0, readings=0, refused_readings=0),
            )
            for name in ACCESS_TITLES
        ]

    def week(self) -> list[list[float]]:
        """Mean calls by weekday (Monday first) and hour (UTC)."""
        sums = [[0.0] * 24 for _ in range(7)]
        for hour, calls in self.usage.hours:
            sums[hour.weekday()][hour.hour] += calls
        weekdays = [day.weekday() for day in self.day_names]
        return [
            [value / max(1, weekdays.count(number)) for value in row]
            for number, row in enumerate(sums)
        ]

    def calls_by_hour(self) -> list[float]:
        """Mean calls by hour of the day (UTC)."""
        return typical_day("Sum", dict(self.usage.hours), self.period.days)

    def resource_by_hour(self, resource: Resource) -> list[float]:
        """What the functions used by hour of the day (UTC)."""
        hourly = {} if self.used is None else self.used.hourly[resource]
        return typical_day(SPECS[resource].statistic, hourly, self.period.days)

    def resource_total(self, resource: Resource) -> float:
        """The period's sum, or its most."""
        values = [] if self.used is None else list(self.used.hourly[resource].values())
        return sum(values) if SPECS[resource].statistic == "Sum" else max(values, default=0.0)

    def measured(self) -> list[Measured]:
        """Every ratio over the whole period."""
        total, people = self.total, self.people_at_end()
        found = [
            ratio.of(total)
            for ratio in (
                ratios.SERVED_CALLS,
                ratios.ZERO_RESULTS,
                ratios.READ_AFTER_SEARCH,
                ratios.MEAN_RANK,
                ratios.REFUSED_READINGS,
            )
        ]
        found.append(ratios.RETURNING_PEOPLE.of(*([people] if people else [])))
        if self.used is not None:
            each = (
                (ratios.DRUPAL_CALLS_EACH, Resource.DRUPAL_CALLS),
                (ratios.GIGABYTE_SECONDS_EACH, Resource.GIGABYTE_SECONDS),
            )
            found += [
                ratio.between(self.resource_total(resource), total.calls)
                for ratio, resource in each
            ]
        return found
