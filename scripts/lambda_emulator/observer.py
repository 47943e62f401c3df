"""Who is told what Lambda would count in CloudWatch's namespace ``AWS/Lambda``.

It must never hold up an invocation.
"""

from typing import Protocol


class Observer(Protocol):
    """Told of every invocation; ``function`` is a name."""

    def invoked(self, function: str) -> None:
        """An environment was found for an invocation."""

    def failed(self, function: str) -> None:
        """An invocation ended with an error, out of time, or with its process."""

    def throttled(self, function: str) -> None:
        """No environment was free and no more may be started."""

    def answered(self, function: str, status: int) -> None:
        """A Function URL answered."""


class Unobserved:
    """Tells nobody."""

    def invoked(self, function: str) -> None:
        """Nothing."""

    def failed(self, function: str) -> None:
        """Nothing."""

    def throttled(self, function: str) -> None:
        """Nothing."""

    def answered(self, function: str, status: int) -> None:
        """Nothing."""
