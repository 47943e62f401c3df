"""Debug mode: what an error was caused by, beside the catalogue's text in its answer.

Off by default, and refused by the settings of a production stage. What is added is redacted like
a log line, and holds no text of an exception or of the site.
"""

from shared.errors.base import ServiceError
from shared.errors.causes import chain_of, name_of
from shared.errors.operations import DEPENDENCIES
from shared.errors.translation import JsonObject
from shared.observability import circuit_states, recovery, request_context
from shared.observability.redaction import redact


class _Mode:
    on = False


def configure(*, enabled: bool) -> None:
    """Turn debug mode on or off for this process."""
    _Mode.on = enabled


def debug_of(error: ServiceError) -> JsonObject:
    """The member ``debug`` of an error's answer; nothing while debug mode is off."""
    if not _Mode.on:
        return {}
    context = request_context.current()
    found = {
        "first_cause": recovery.first_cause(error),
        "dependency": DEPENDENCIES.get(error.code),
        "status": error.facts.get("upstream_status"),
        "causes": [_told(one) for one in chain_of(error)],
        "faults": [
            {"dependency": one.dependency, "error": one.code, "ended": one.ending}
            for one in (context.faults if context else ())
        ],
        "circuits": circuit_states.as_facts(),
        "elapsed_ms": round(context.elapsed_milliseconds) if context else None,
        "spans_ms": {
            name: round(spent, 1) for name, spent in (context.spent if context else {}).items()
        },
    }
    return {"debug": redact(found)}


def _told(error: BaseException) -> JsonObject:
    told: JsonObject = {"error": name_of(error), "type": type(error).__name__}
    if isinstance(error, ServiceError) and error.facts:
        told["facts"] = dict(error.facts)
    return told
