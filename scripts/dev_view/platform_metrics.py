"""What Lambda and SQS measure themselves, counted here by the emulator and asked of the queue.

Only the metrics that alarms look at.
"""

from typing import Final

from scripts.alarms.alarm import MetricKey
from scripts.alarms.template_alarms import VERSION
from scripts.dev_view.collector import Collector

_LAMBDA: Final = "AWS/Lambda"


class PlatformMetrics:
    """Implements the emulator's ``Observer``."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def invoked(self, function: str) -> None:
        """An environment was found for an invocation."""
        self._count(function, "Invocations")

    def failed(self, function: str) -> None:
        """An invocation ended with an error, out of time or with its process."""
        self._count(function, "Errors")
        version = {
            "FunctionName": function,
            "Resource": f"{function}:live",
            "ExecutedVersion": VERSION,
        }
        self._collector.measured(MetricKey.of(_LAMBDA, "Errors", version), 1)

    def throttled(self, function: str) -> None:
        """No environment was free and no more may be started."""
        self._count(function, "Throttles")

    def answered(self, function: str, status: int) -> None:
        """A Function URL answered."""
        self._count(function, "UrlRequestCount")
        if status >= 500:
            self._count(function, "Url5xxCount")

    def queue_length(self, queue: str, messages: int) -> None:
        """What a queue holds that may be received."""
        key = MetricKey.of("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue})
        self._collector.measured(key, messages)

    def _count(self, function: str, name: str) -> None:
        self._collector.measured(MetricKey.of(_LAMBDA, name, {"FunctionName": function}), 1)
