"""Crash reports to Sentry: scrubbed, once per error, and never in anybody's way.

Without a DSN nothing is imported and nothing is sent. It must never send what ``redact`` has not
seen, nor hold up an answer: delivery is waited for once, briefly, after the request has ended.
"""

import secrets
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from shared.errors.base import ServiceError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.redaction import redact
from shared.observability.request_context import correlation_id

FLUSH_SECONDS_MAX = 0.5
"""A frozen environment sends nothing, so a report gets this long before the invocation ends."""
FLUSH_PAUSE_SECONDS = 60.0
"""After a report that could not be delivered in time, nothing is waited for this long."""
# Not `random`: environments that wake up from one snapshot would draw the same numbers.
_random: Final = secrets.SystemRandom()
_REPORTED = "_crash_report_id"
_SDK_OPTIONS: Final[dict[str, Any]] = {
    # Found by itself, every framework in the package would be imported and patched.
    "auto_enabling_integrations": False,
    "default_integrations": False,
    # Local variables, bodies and breadcrumbs may hold what belongs to a person.
    "include_local_variables": False,
    "max_request_body_size": "never",
    "max_breadcrumbs": 0,
    "auto_session_tracking": False,
    # Counts of what was not sent, sent with every flush.
    "send_client_reports": False,
    "shutdown_timeout": 0,
}


class _Reporter:
    def __init__(self) -> None:
        self.started = False
        self.sample_rate = 0.0
        self.pending = False
        self.paused_until = 0.0


_reporter = _Reporter()


def start(
    *,
    dsn: str | None,
    stage: str,
    release: str,
    sample_rate: float = 0.0,
    transport: Any = None,
) -> None:
    """Begin to report if there is a DSN. ``sample_rate`` is the share of timed invocations.

    A DSN that is still a reference to where it is kept only loads what will be needed, so that a
    snapshot holds the code and not the secret; a malformed one is logged, and reports stay off.
    """
    _reporter.started = False
    if not dsn:
        return
    # Imported here: it costs every cold start that reports nothing.
    import sentry_sdk  # noqa: PLC0415 - lazy on purpose, see above

    if not dsn.startswith(("https://", "http://")):
        return
    try:
        sentry_sdk.init(
            dsn=dsn,
            environment=stage,
            release=release,
            server_name=stage,
            transport=transport,
            # What reaches the SDK has been drawn already: the others shall cost nothing.
            traces_sample_rate=1.0 if sample_rate else 0.0,
            before_send=_scrub,
            before_send_transaction=_scrub,
            **_SDK_OPTIONS,
        )
    except sentry_sdk.utils.BadDsn:
        log.warning("crash reports are off, the DSN is malformed")
        return
    _reporter.started = True
    _reporter.sample_rate = sample_rate


def _scrub(event: Any, hint: Any) -> Any:
    del hint
    return redact(event)


def report(error: BaseException, **facts: object) -> str | None:
    """Report ``error`` once; the id to quote, or None when reports are off."""
    known = getattr(error, _REPORTED, None)
    if known is not None or not _reporter.started:
        return known
    import sentry_sdk  # noqa: PLC0415 - imported by start() already, at no further cost

    try:
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("correlation_id", correlation_id())
            if isinstance(error, ServiceError):
                scope.set_tag("error_code", error.code.value)
                facts = {**error.facts, **facts}
            scope.set_context("facts", dict(facts))
            event_id = scope.capture_exception(error)
    except Exception as failure:  # noqa: BLE001 - a reporter must not add a crash to a crash
        log.warning("crash report failed", error=failure)
        return None
    _reporter.pending = True
    metrics.count(metrics.MetricName.CRASH_REPORTS)
    # Into its dict: an exception may refuse new attributes, being a frozen dataclass for one.
    error.__dict__[_REPORTED] = event_id
    return event_id


def timed(name: str) -> AbstractContextManager[object]:
    """The invocation as a Sentry transaction, if it is one of the sampled share."""
    if not _reporter.started or _random.random() >= _reporter.sample_rate:
        return nullcontext()
    import sentry_sdk  # noqa: PLC0415 - imported by start() already, at no further cost

    _reporter.pending = True
    return sentry_sdk.start_transaction(op="function.aws", name=name)


def flush() -> None:
    """Give pending reports a moment to leave; not again soon after one that did not make it."""
    if not _reporter.pending or time.monotonic() < _reporter.paused_until:
        return
    import sentry_sdk  # noqa: PLC0415 - imported by start() already, at no further cost

    _reporter.pending = False
    late: list[int] = []
    sentry_sdk.flush(timeout=FLUSH_SECONDS_MAX, callback=lambda left, _seconds: late.append(left))
    if late:
        _reporter.paused_until = time.monotonic() + FLUSH_PAUSE_SECONDS
        log.warning("crash reports not delivered in time", left=late[0])
