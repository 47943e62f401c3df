"""What can be said of a metric: its unit, its dimensions, and the totals that it is written to."""

from enum import StrEnum
from typing import NamedTuple

from aws_lambda_powertools.metrics import MetricUnit


class Dimension(StrEnum):
    """Every dimension a metric can have beside ``service`` and ``stage``; the value is its key."""

    OUTCOME = "outcome"
    TOOL = "tool"
    OPERATION = "operation"
    ERROR_CODE = "error_code"
    CAUSE = "cause"
    RULE = "rule"
    SPAN = "span"
    KEY_GENERATION = "key_generation"
    CLIENT_FAMILY = "client_family"
    DEPENDENCY = "dependency"
    STATE = "state"
    CHECK = "check"
    STATEMENT = "statement"


class MetricSpec(NamedTuple):
    """What a metric measures, in which unit, by which dimensions.

    ``also_by`` names the totals that it is written to as well: each is the ``stage`` and some of
    the dimensions, over all functions. An alarm can neither search for metrics nor merge
    percentiles, so what it asks has to exist.
    """

    unit: MetricUnit
    dimensions: tuple[Dimension, ...]
    description: str
    also_by: tuple[tuple[Dimension, ...], ...] = ()

    def dimension_sets(self) -> list[list[str]]:
        """Every set of dimensions by which CloudWatch knows the metric."""
        own = ["service", "stage", *(dimension.value for dimension in self.dimensions)]
        totals = [["stage", *(dimension.value for dimension in total)] for total in self.also_by]
        return [own, *totals]
