"""Keeps samples of metrics until they are written, as embedded metric format lines.

Knows no metric by name; the list of them is ``metrics``.
"""

import functools
import json
import re
import sys
import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from aws_lambda_powertools.metrics import MetricResolution, MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from shared.observability.redaction import redact_text
from shared.observability.request_context import correlation_id

SAMPLES_MAX = 90
"""Samples kept before they are written: an EMF line holds at most 100 values of a metric."""
DIMENSION_VALUES_MAX = 100
"""Distinct values that a metric's dimension takes in one process; what comes later is ``other``."""
OTHER = "other"
_SPECS_REMEMBERED_MAX = 256

_DIMENSION_VALUE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class Spec(Hashable, Protocol):
    """What is written beside a metric's values."""

    @property
    def unit(self) -> MetricUnit:
        """The unit of its values."""
        ...

    @property
    def dimensions(self) -> tuple[StrEnum, ...]:
        """The keys of its dimensions, beside service and stage."""
        ...

    def dimension_sets(self) -> list[list[str]]:
        """Every set of dimensions by which CloudWatch is to know it."""
        ...


@functools.lru_cache(maxsize=_SPECS_REMEMBERED_MAX)
def _sets_of(spec: Spec) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(one) for one in spec.dimension_sets())


@dataclass(frozen=True, slots=True)
class _Key:
    """What has to be the same for samples to share a line."""

    correlation_id: str
    dimensions: tuple[tuple[str, str], ...]
    sets: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class _Samples:
    unit: MetricUnit
    values: list[float] = field(default_factory=list)


class SampleBuffer:
    """Samples since the last flush, by correlation id and dimensions."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.service = "unconfigured"
        self.stage = "unconfigured"
        self._lock = threading.Lock()
        self._samples: dict[_Key, dict[str, _Samples]] = {}
        self._count = 0
        self._seen: dict[tuple[str, str], set[str]] = {}

    def add(self, name: str, value: float, given: Mapping[str, str], *, spec: Spec) -> None:
        """Keep a sample; it is written with the next flush, or when there are many."""
        dimensions = tuple(
            (key, self._bounded(name, key, given.get(key, OTHER)))
            for key in (dimension.value for dimension in spec.dimensions)
        )
        sets = _sets_of(spec)
        shared = _Key(correlation_id(), dimensions, sets)
        with self._lock:
            of_key = self._samples.setdefault(shared, {})
            of_key.setdefault(name, _Samples(spec.unit)).values.append(value)
            self._count += 1
            full = self._count >= SAMPLES_MAX
        if full:
            self.flush()

    def _bounded(self, metric: str, dimension: str, value: str) -> str:
        text = str(value)
        seen = self._seen.setdefault((metric, dimension), set())
        if text in seen:
            return text
        if _DIMENSION_VALUE.fullmatch(text) is None or redact_text(text) != text:
            return OTHER
        if len(seen) >= DIMENSION_VALUES_MAX:
            return OTHER
        seen.add(text)
        return text

    def flush(self) -> None:
        """Write every sample to standard output."""
        with self._lock:
            taken, self._samples, self._count = self._samples, {}, 0
        if not taken:
            return
        # One for all lines: Powertools validates every value that is added one by one, and ours
        # are of the list above.
        provider = AmazonCloudWatchEMFProvider(namespace=self._namespace)
        lines = [self._line(provider, key, samples) for key, samples in taken.items()]
        sys.stdout.write("".join(lines))
        sys.stdout.flush()

    def _line(
        self,
        provider: AmazonCloudWatchEMFProvider,
        key: _Key,
        samples: Mapping[str, _Samples],
    ) -> str:
        line = provider.serialize_metric_set(
            metrics={
                name: {
                    "Unit": of_name.unit.value,
                    "StorageResolution": MetricResolution.Standard.value,
                    "Value": [float(round(value, 3)) for value in of_name.values],
                }
                for name, of_name in samples.items()
            },
            dimensions={"service": self.service, "stage": self.stage, **dict(key.dimensions)},
            metadata={"correlation_id": key.correlation_id},
        )
        # Powertools knows one set of dimensions a line; the format takes 30 of them.
        line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = [list(one) for one in key.sets]
        return json.dumps(line, separators=(",", ":")) + "\n"
