"""The root of every exception that this project raises on purpose.

An exception carries a catalogue code and facts for the log; what a caller gets to read is the
catalogue's text, never the exception's.
"""

from collections.abc import Mapping
from typing import ClassVar

from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.errors.entries import ErrorEntry

LogFact = str | int | float | bool | None


class ServiceError(Exception):
    """Something went wrong that the catalogue knows.

    Subclasses stand beside the code that raises them and fix ``code``. ``facts`` go to the log
    after redaction and never to a caller.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_ERROR
    report_id: str | None = None
    """Of the crash report on it, for the caller to quote; None where there is none."""

    def __init__(
        self,
        facts: Mapping[str, LogFact] | None = None,
        *,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(self.entry.message)
        self.facts: dict[str, LogFact] = dict(facts or {})
        self._retry_after_seconds = retry_after_seconds

    @property
    def entry(self) -> ErrorEntry:
        """The catalogue row of this error."""
        return CATALOGUE[self.code]

    @property
    def asked_wait_seconds(self) -> int | None:
        """The wait that was asked for in this very case; None where only the catalogue has one."""
        return self._retry_after_seconds

    @property
    def retry_after_seconds(self) -> int | None:
        """Seconds until trying again makes sense; None where it never does."""
        return self._retry_after_seconds or self.entry.retry_after_seconds


class UnavailableError(ServiceError):
    """A dependency is away or slow: it will pass, and nobody is signed out for it."""
