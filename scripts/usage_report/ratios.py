"""Every ratio of the report: what is divided by what, and from how much on it means anything."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Shape(StrEnum):
    """How a ratio is read."""

    SHARE = "share"
    """A part of a whole, in per cent."""
    MEAN = "mean"
    """A mean per one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A ratio of some counts; ``value`` is None where there are too few to tell."""

    ratio: "Ratio"
    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        """Numerator by denominator."""
        if self.denominator < self.ratio.least or not self.denominator:
            return None
        return self.numerator / self.denominator

    @property
    def text(self) -> str:
        """The value as it is shown."""
        if self.value is None:
            return "too few"
        if self.ratio.shape is Shape.SHARE:
            return f"{self.value * 100:.1f} %"
        return f"{self.value:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One ratio. ``numerator`` and ``denominator`` are fields of what is counted.

    It is not told of less than ``least`` in the denominator.
    """

    title: str
    numerator: str
    denominator: str
    numerator_words: str
    denominator_words: str
    least: int
    shape: Shape = Shape.SHARE

    def of(self, *counted: object) -> Measured:
        """The ratio of the sums over ``counted``; what is None counts as nothing."""
        return self.between(
            sum(getattr(one, self.numerator) or 0 for one in counted),
            sum(getattr(one, self.denominator) or 0 for one in counted),
        )

    def between(self, numerator: float, denominator: float) -> Measured:
        """The ratio of two numbers that are counted already."""
        return Measured(ratio=self, numerator=numerator, denominator=denominator)


ZERO_RESULTS: Final = Ratio(
    title="Searches without a result",
    numerator="empty_searches",
    denominator="searches",
    numerator_words="answered searches, first pages only, that found nothing",
    denominator_words="answered searches, first pages only",
    least=20,
)
READ_AFTER_SEARCH: Final = Ratio(
    title="Read after search",
    numerator="pages_chosen",
    denominator="pages_found",
    numerator_words="pages of results from which the same person read something within 30 minutes",
    denominator_words="pages with at least one result",
    least=20,
)
MEAN_RANK: Final = Ratio(
    title="Mean rank of what was read",
    numerator="ranks_total",
    denominator="ranked_readings",
    numerator_words="sum of the places (from 1) in the results of what was read",
    denominator_words="readings that were chosen from a search",
    least=10,
    shape=Shape.MEAN,
)
REFUSED_READINGS: Final = Ratio(
    title="Readings refused",
    numerator="refused_readings",
    denominator="readings",
    numerator_words="readings that the site refused for want of a membership",
    denominator_words="readings, without next parts of a long text",
    least=20,
)
SERVED_CALLS: Final = Ratio(
    title="Calls served",
    numerator="served",
    denominator="calls",
    numerator_words="calls that ended with a result",
    denominator_words="all calls of tools and resources",
    least=20,
)
RETURNING_PEOPLE: Final = Ratio(
    title="Returning people",
    numerator="returning_people",
    denominator="people",
    numerator_words="active people who were also active in the 28 days before",
    denominator_words="active people",
    least=5,
)
DRUPAL_CALLS_EACH: Final = Ratio(
    title="Requests to Drupal per call",
    numerator="drupal_calls",
    denominator="calls",
    numerator_words="requests to Drupal, of all functions",
    denominator_words="all calls of tools and resources",
    least=100,
    shape=Shape.MEAN,
)
GIGABYTE_SECONDS_EACH: Final = Ratio(
    title="GB-seconds per call",
    numerator="gigabyte_seconds",
    denominator="calls",
    numerator_words="time of invocations times their memory, of all functions",
    denominator_words="all calls of tools and resources",
    least=100,
    shape=Shape.MEAN,
)

RATIOS: Final = (
    SERVED_CALLS,
    ZERO_RESULTS,
    READ_AFTER_SEARCH,
    MEAN_RANK,
    REFUSED_READINGS,
    RETURNING_PEOPLE,
    DRUPAL_CALLS_EACH,
    GIGABYTE_SECONDS_EACH,
)
