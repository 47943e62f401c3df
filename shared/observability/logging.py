"""Structured logs: one JSON object a line, redacted, with the request's correlation id.

Messages are constant strings and facts are fields. Nothing may write to a log around this module's
handler: third-party loggers go through it too, from warnings up.
"""

import json
import logging
import secrets
import sys
from typing import IO, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import RESERVED_LOG_ATTRS, LambdaPowertoolsFormatter

from shared.observability.redaction import redact
from shared.observability.request_context import correlation_id

THIRD_PARTY_LEVEL = logging.WARNING
_TALKATIVE = (
    "authlib",
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "boto3",
    "botocore",
    "httpcore",
    "httpx",
    "httpx2",
    "mcp",
    "psycopg",
    "sentry_sdk",
)
_RETRYING = ("urllib3",)
"""Tells of every try of a call whose end its caller tells anyway; only errors are logged."""
_RESERVED = frozenset(RESERVED_LOG_ATTRS) | {"asctime", "message", "taskName"}
_CALLER_STACK_LEVEL = 3
# Not `random`: environments that wake up from one snapshot would draw the same numbers.
_random: Final = secrets.SystemRandom()


class RedactingFormatter(LambdaPowertoolsFormatter):
    """Powertools' JSON lines, with every value redacted at the last step before text."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON line; a record that cannot be formatted becomes a line that says so."""
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001 - a log line must never break what it reports
            return self.serialize(
                {"level": "ERROR", "message": "log record not formatted", "error": error}
            )

    def serialize(self, log: Any) -> str:
        """The finished line: redacted, on one line, ASCII-safe for any collector."""
        log.pop("taskName", None)
        clean = redact({"correlation_id": correlation_id(), **log})
        return json.dumps(clean, separators=(",", ":"), allow_nan=False)


class _StdoutHandler(logging.StreamHandler[IO[str]]):
    """Writes to whatever ``sys.stdout`` is now: runtimes and tests replace it."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


class StructuredLog:
    """What the house logs with; before ``configure`` records go to a plain library logger."""

    def __init__(self) -> None:
        self._logger: logging.Logger = logging.getLogger("drupalize_mcp")

    def use(self, logger: logging.Logger) -> None:
        """Send all that follows to ``logger``."""
        self._logger = logger

    def debug(self, message: str, /, **fields: object) -> None:
        """For whoever looks closely: what happened on the way."""
        self._emit(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """Expected, worth a line."""
        self._emit(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        """Not expected, handled."""
        self._emit(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """Somebody has to look at it."""
        self._emit(logging.ERROR, message, fields)

    def exception(self, message: str, /, **fields: object) -> None:
        """An error with the traceback of the exception being handled."""
        self._emit(logging.ERROR, message, fields, exc_info=sys.exc_info()[0] is not None)

    def _emit(
        self, level: int, message: str, fields: dict[str, object], *, exc_info: bool = False
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        # A field may not overwrite an attribute of the log record: it gets a trailing underscore.
        extra = {(f"{key}_" if key in _RESERVED else key): fields[key] for key in fields}
        self._logger.log(
            level, message, extra=extra, exc_info=exc_info, stacklevel=_CALLER_STACK_LEVEL
        )


log = StructuredLog()


class _Levels:
    logger: logging.Logger | None = None
    usual: str = "INFO"
    debug_sample_rate: float = 0.0


def draw_level() -> None:
    """Begin an invocation: the sampled share of them is logged at DEBUG, whatever the level is."""
    if _Levels.logger is not None and _Levels.debug_sample_rate > 0:
        sampled = _random.random() < _Levels.debug_sample_rate
        _Levels.logger.setLevel(logging.DEBUG if sampled else _Levels.usual)


def configure(
    *, service: str, level: str, stage: str, release: str, debug_sample_rate: float = 0.0
) -> None:
    """Send all logging of this process through one redacting handler on standard output.

    ``level`` holds for this project's lines; third parties speak from warnings up, whatever it is,
    because at lower levels HTTP and OAuth libraries log URLs and bodies.
    """
    handler = _StdoutHandler()
    formatter = RedactingFormatter(
        service=service,
        stage=stage,
        release=release,
        utc=True,
        use_rfc3339=True,
        serialize_stacktrace=False,
    )
    own = Logger(
        service=service, level=level.upper(), logger_handler=handler, logger_formatter=formatter
    )
    handler.setFormatter(formatter)
    logger = logging.getLogger(own.name)
    logger.handlers = [handler]
    logger.filters.clear()
    logger.setLevel(level.upper())
    logger.propagate = False
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(THIRD_PARTY_LEVEL)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(THIRD_PARTY_LEVEL)
    for name in _RETRYING:
        logging.getLogger(name).setLevel(logging.ERROR)
    log.use(logger)
    _Levels.logger, _Levels.usual = logger, level.upper()
    _Levels.debug_sample_rate = debug_sample_rate
