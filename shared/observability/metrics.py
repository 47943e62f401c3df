"""Metrics: every name, unit and dimension that exists, and how to count and time.

This list is the single truth that alarms, dashboard and documentation are checked against. A
dimension must never take a value that callers choose: each distinct value is a metric of its own.
"""

from aws_lambda_powertools.metrics import MetricUnit

from shared.observability.metric_names import MetricName
from shared.observability.metric_spec import Dimension, MetricSpec
from shared.observability.sample_buffer import SampleBuffer

__all__ = ["METRICS", "NAMESPACE", "MetricName", "configure", "count", "duration", "flush", "gauge"]

NAMESPACE = "DrupalizeMcp"

_IN_ALL: tuple[Dimension, ...] = ()
_COUNT = MetricUnit.Count
_MILLISECONDS = MetricUnit.Milliseconds
_MEGABYTES = MetricUnit.Megabytes

METRICS: dict[MetricName, MetricSpec] = {
    MetricName.INVOCATIONS: MetricSpec(_COUNT, (), "Invocations of the function."),
    MetricName.INVOCATION_FAILURES: MetricSpec(
        _COUNT,
        (),
        "Invocations that ended with an exception nobody had foreseen.",
        also_by=(_IN_ALL,),
    ),
    MetricName.INVOCATION_DURATION: MetricSpec(
        _MILLISECONDS, (), "From the handler's first line to its last."
    ),
    MetricName.GIGABYTE_SECONDS: MetricSpec(
        _COUNT, (), "Time of an invocation times the memory that the function is given."
    ),
    MetricName.MEMORY_USED: MetricSpec(
        _MEGABYTES, (), "Memory that the environment holds at the end of an invocation."
    ),
    MetricName.COLD_STARTS: MetricSpec(_COUNT, (), "First invocations of an environment."),
    MetricName.SCHEDULED_RUNS: MetricSpec(
        _COUNT,
        (),
        "Ticks of a schedule whose work was done to its end.",
    ),
    MetricName.SPAN_DURATION: MetricSpec(
        _MILLISECONDS, (Dimension.SPAN, Dimension.OUTCOME), "Time spent in one part of a request."
    ),
    MetricName.CRASH_REPORTS: MetricSpec(_COUNT, (), "Errors handed to the crash reporter."),
    MetricName.ERRORS: MetricSpec(
        _COUNT, (Dimension.ERROR_CODE,), "Errors of the catalogue that left the house."
    ),
    MetricName.TOOL_CALLS: MetricSpec(
        _COUNT, (Dimension.TOOL, Dimension.OUTCOME), "Tool calls by how they ended."
    ),
    MetricName.TOOL_DURATION: MetricSpec(
        _MILLISECONDS, (Dimension.TOOL,), "Whole tool call, Drupal's share included."
    ),
    MetricName.TOOL_OWN_DURATION: MetricSpec(
        _MILLISECONDS, (Dimension.TOOL,), "The same without what Drupal took."
    ),
    MetricName.RETRIEVAL_DURATION: MetricSpec(
        _MILLISECONDS,
        (),
        "Whole call of a tool that reads the site's content, in a warm environment.",
        also_by=(_IN_ALL,),
    ),
    MetricName.RETRIEVAL_OWN_DURATION: MetricSpec(
        _MILLISECONDS, (), "The same without what Drupal took.", also_by=(_IN_ALL,)
    ),
    MetricName.UPSTREAM_CALLS: MetricSpec(
        _COUNT, (Dimension.OPERATION, Dimension.OUTCOME), "Requests to Drupal by how they ended."
    ),
    MetricName.UPSTREAM_DURATION: MetricSpec(
        _MILLISECONDS, (Dimension.OPERATION,), "One request to Drupal."
    ),
    MetricName.UPSTREAM_REFRESHES: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Refreshes of upstream pairs by how they ended.",
        also_by=((Dimension.OUTCOME,),),
    ),
    MetricName.UPSTREAM_REFRESH_DURATION: MetricSpec(
        _MILLISECONDS, (Dimension.OUTCOME,), "One refresh, Drupal's share included."
    ),
    MetricName.UPSTREAM_REFRESH_OWN_DURATION: MetricSpec(
        _MILLISECONDS,
        (Dimension.OUTCOME,),
        "The same without what Drupal took.",
        also_by=(_IN_ALL,),
    ),
    MetricName.GRANTS_DUE: MetricSpec(_COUNT, (), "Grants that one tick found due for refresh."),
    MetricName.GRANTS_ENDED: MetricSpec(
        _COUNT, (Dimension.CAUSE,), "Grants that ended.", also_by=((Dimension.CAUSE,),)
    ),
    MetricName.SESSIONS_ENDED: MetricSpec(
        _COUNT,
        (Dimension.CAUSE, Dimension.CLIENT_FAMILY),
        "Sessions that ended, by why and by whose client it was.",
        also_by=((Dimension.CAUSE,), _IN_ALL),
    ),
    MetricName.INVOLUNTARY_SIGN_OUTS: MetricSpec(
        _COUNT,
        (Dimension.CLIENT_FAMILY,),
        "Sessions that ended through our fault, by whose client it was; the target is none.",
        also_by=(_IN_ALL,),
    ),
    MetricName.GRANTS_REVIVED: MetricSpec(
        _COUNT,
        (),
        "Grants that had ended for want of a living pair, and whose pair turned up.",
        also_by=(_IN_ALL,),
    ),
    MetricName.PAIRS_RECOVERED: MetricSpec(
        _COUNT, (), "Refreshed pairs taken from the second store, because their worker was gone."
    ),
    MetricName.UPSTREAM_CLIENT_REFUSED: MetricSpec(
        _COUNT,
        (),
        "Refreshes at which Drupal refused our client: operators act, nobody else can.",
        also_by=(_IN_ALL,),
    ),
    MetricName.REFRESHES_QUEUED: MetricSpec(_COUNT, (), "Due grants that were sent to the queue."),
    MetricName.QUEUE_MESSAGES: MetricSpec(
        _COUNT, (Dimension.OUTCOME,), "Messages of the refresher's queues by what came of them."
    ),
    MetricName.WATCHDOGS_NOT_ARMED: MetricSpec(
        _COUNT, (), "Refreshes that go on without a repeat, because the queue did not take it."
    ),
    MetricName.PAIRS_SPILLED: MetricSpec(
        _COUNT, (), "Refreshed pairs put into the second store, because Postgres took too long."
    ),
    MetricName.SPILLED_PAIRS_SETTLED: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Pairs in the second store that nobody came for, by what the cleanup did with them.",
    ),
    MetricName.DATABASE_CONNECTIONS: MetricSpec(
        _COUNT,
        (Dimension.OPERATION, Dimension.OUTCOME),
        "Connects to Postgres, and looks whether a rested connection lives, by what came of them.",
        also_by=((Dimension.OUTCOME,),),
    ),
    MetricName.DATABASE_STATEMENT_DURATION: MetricSpec(
        _MILLISECONDS,
        (Dimension.STATEMENT,),
        "One statement, by its verb and what it is about; those that failed too.",
    ),
    MetricName.DATABASE_WAIT_DURATION: MetricSpec(
        _MILLISECONDS, (), "Until a connection was at hand: the turn, its first sign of life."
    ),
    MetricName.LIVE_SESSIONS: MetricSpec(
        _COUNT, (), "A gauge of every cleanup: sessions that have not ended.", also_by=(_IN_ALL,)
    ),
    MetricName.LIVE_GRANTS: MetricSpec(
        _COUNT, (), "A gauge of every cleanup: grants that have not ended.", also_by=(_IN_ALL,)
    ),
    MetricName.OLDEST_PAIR_AGE: MetricSpec(
        MetricUnit.Seconds,
        (),
        "A gauge of every cleanup: since the last refresh of the live grant that waited longest.",
        also_by=(_IN_ALL,),
    ),
    MetricName.SESSIONS_CONTINUED: MetricSpec(
        _COUNT, (), "Sessions whose client got new tokens for a refresh token.", also_by=(_IN_ALL,)
    ),
    MetricName.SIGN_INS: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Sign-ins by the step or end they reached.",
        also_by=((Dimension.OUTCOME,),),
    ),
    MetricName.SIGN_IN_DURATION: MetricSpec(
        _MILLISECONDS,
        (),
        "Our requests of one sign-in, from `/authorize` to `/token`: no wait for the person.",
        also_by=(_IN_ALL,),
    ),
    MetricName.SIGN_IN_OWN_DURATION: MetricSpec(
        _MILLISECONDS, (), "The same without what Drupal took.", also_by=(_IN_ALL,)
    ),
    MetricName.ACCOUNT_SIGN_INS: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Sign-ins to the account page by the step they reached.",
    ),
    MetricName.OAUTH_ANSWERS: MetricSpec(
        _COUNT, (Dimension.OPERATION, Dimension.OUTCOME), "Answers of the OAuth endpoints."
    ),
    MetricName.CLIENT_SIGN_INS: MetricSpec(
        _COUNT,
        (Dimension.CLIENT_FAMILY, Dimension.OUTCOME),
        "Sign-ins begun and completed, by whose client it was.",
    ),
    MetricName.CLIENTS_REGISTERED: MetricSpec(
        _COUNT,
        (Dimension.CLIENT_FAMILY, Dimension.OUTCOME),
        "Registrations, of new clients and of those known already.",
        also_by=(_IN_ALL,),
    ),
    MetricName.CLIENT_DOCUMENTS: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Client documents by how they were had: fetched, what stood in, or what was wrong.",
    ),
    MetricName.CLIENT_DOCUMENT_DRIFTS: MetricSpec(
        _COUNT,
        (Dimension.CLIENT_FAMILY,),
        "Fetched documents of well-known clients that differ from what we have pinned.",
    ),
    MetricName.CLIENT_KEY_SETS: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Keys of clients by how they were had: fetched, the last good ones, or what was wrong.",
    ),
    MetricName.RATE_LIMIT_REFUSALS: MetricSpec(
        _COUNT,
        (Dimension.RULE,),
        "Requests answered with 429, by the limit that they reached.",
        also_by=(_IN_ALL,),
    ),
    MetricName.MEMORY_PRESSURE: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Environments over their share of memory: relieved by emptied caches, or retired.",
        also_by=((Dimension.OUTCOME,),),
    ),
    MetricName.MEMORY_HELD: MetricSpec(
        MetricUnit.Megabytes, (), "A gauge: what the environment holds after an answer."
    ),
    MetricName.CONTENT_COPIES: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Readings and searches that a person's copies stood in for, or would have.",
    ),
    MetricName.FAULTS: MetricSpec(
        _COUNT,
        (Dimension.DEPENDENCY, Dimension.OUTCOME),
        "Failures of dependencies that a request met, by how they ended: recovered or surfaced.",
        also_by=((Dimension.OUTCOME,),),
    ),
    MetricName.DEPENDENCY_CHECKS: MetricSpec(
        _COUNT,
        (Dimension.DEPENDENCY, Dimension.OUTCOME),
        "Looks at a dependency for `/health/ready`, by what they found.",
    ),
    MetricName.BEARER_REFUSALS: MetricSpec(
        _COUNT,
        (Dimension.ERROR_CODE,),
        "MCP requests refused at the bearer check.",
        also_by=(_IN_ALL, (Dimension.ERROR_CODE,)),
    ),
    MetricName.ROWS_PURGED: MetricSpec(
        _COUNT, (Dimension.RULE,), "Rows that a retention rule deleted."
    ),
    MetricName.KEY_SERVICE_CALLS: MetricSpec(
        _COUNT, (Dimension.OPERATION, Dimension.OUTCOME), "Requests to KMS by how they ended."
    ),
    MetricName.KEY_UNUSABLE: MetricSpec(
        _COUNT, (), "Refusals of the KMS key itself: somebody has to repair it.", also_by=(_IN_ALL,)
    ),
    MetricName.STALE_KEYS_SERVED: MetricSpec(
        _COUNT, (), "Times that KMS gave no key and one from memory served on."
    ),
    MetricName.SEALS_REFUSED: MetricSpec(
        _COUNT, (Dimension.CAUSE,), "Sealed tokens that did not open, by why.", also_by=(_IN_ALL,)
    ),
    MetricName.PAIRS_UNDER_OLD_KEYS: MetricSpec(
        _COUNT,
        (Dimension.KEY_GENERATION,),
        "Pairs that a data key before the newest still seals, at the end of a cleanup.",
    ),
    MetricName.PAIRS_RESEALED: MetricSpec(
        _COUNT, (), "Pairs that a cleanup moved to the newest data key."
    ),
    MetricName.BULK_READERS: MetricSpec(
        _COUNT,
        (),
        "People who read more different items in a day than anybody does by hand; told every hour.",
        also_by=(_IN_ALL,),
    ),
    MetricName.AUDIT_STRAYS: MetricSpec(
        _COUNT,
        (),
        "Audit events for whose month no partition was there, at the end of a cleanup.",
        also_by=(_IN_ALL,),
    ),
    MetricName.AUDIT_ARCHIVINGS: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Runs of the cleanup that had the audit trail archived as far as due: ok or failed.",
        also_by=((Dimension.OUTCOME,),),
    ),
    MetricName.SESSIONS_ON_MANY_NETWORKS: MetricSpec(
        _COUNT,
        (),
        "Sessions that were used from more networks in a day than one person has; told every hour.",
        also_by=(_IN_ALL,),
    ),
    MetricName.AUDITED_CHANGES: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Changes of a day that have their audit event, and those that have not; once a night.",
        also_by=((Dimension.OUTCOME,),),
    ),
    MetricName.ERASURES: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "People to be erased: requested, then erased with Drupal told or not told.",
    ),
    MetricName.UPSTREAM_REVOCATIONS: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Pairs of ended grants, and pairs of none, that a cleanup burnt or postponed.",
    ),
    MetricName.REVOCATIONS_PENDING: MetricSpec(
        _COUNT, (), "Ended grants that Drupal still has to be told about, after a cleanup."
    ),
    MetricName.CIRCUIT_TRANSITIONS: MetricSpec(
        _COUNT,
        (Dimension.DEPENDENCY, Dimension.STATE),
        "Changes of a circuit in one environment, by the new state; half-open is none of them.",
    ),
    MetricName.CIRCUIT_OPEN_TIME: MetricSpec(
        MetricUnit.Seconds,
        (Dimension.DEPENDENCY,),
        "A gauge: how long a circuit is open already; no sample while it is closed.",
        also_by=((Dimension.DEPENDENCY,),),
    ),
    MetricName.CIRCUIT_REFUSALS: MetricSpec(
        _COUNT,
        (Dimension.DEPENDENCY,),
        "Calls that were not made because a circuit was open.",
        also_by=((Dimension.DEPENDENCY,),),
    ),
    MetricName.CIRCUIT_PROBES: MetricSpec(
        _COUNT,
        (Dimension.DEPENDENCY, Dimension.OUTCOME),
        "Calls let out to see whether a dependency is back, by what they found.",
    ),
    MetricName.CIRCUIT_SLOW_CALLS: MetricSpec(
        _COUNT,
        (Dimension.DEPENDENCY,),
        "Calls that waited past the slow limit, however they ended.",
    ),
    MetricName.UPSTREAM_RETRIES: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Reads at Drupal that were tried once more, by how that ended; `no_budget` were not.",
    ),
    MetricName.DATA_KEY_CHANGES: MetricSpec(
        _COUNT, (Dimension.OPERATION,), "Data keys made, wrapped anew, or retired."
    ),
    MetricName.CANARY_ROUNDS: MetricSpec(
        _COUNT,
        (Dimension.OUTCOME,),
        "Rounds of the canary: passed, passed but for the site, or failed. Availability is theirs.",
    ),
    MetricName.CANARY_CHECKS: MetricSpec(
        _COUNT, (Dimension.CHECK, Dimension.OUTCOME), "Checks of the canary by how they ended."
    ),
    MetricName.CANARY_DURATION: MetricSpec(
        _MILLISECONDS, (Dimension.CHECK,), "One check, as a client far away would wait for it."
    ),
    MetricName.AUTHORIZATION_BYPASSES: MetricSpec(
        _COUNT,
        (),
        "What was let in without a right to it: tokens of the canary that open nothing, and, once a"
        " night, calls served without grant or permission. Zero when there was none.",
        also_by=(_IN_ALL,),
    ),
}

_buffer = SampleBuffer(NAMESPACE)


def configure(*, service: str, stage: str) -> None:
    """Name the function and stage that all metrics of this process belong to."""
    _buffer.service = service
    _buffer.stage = stage


def count(name: MetricName, value: float = 1, **dimensions: str) -> None:
    """Add ``value`` to a counter. A dimension that is missing or odd counts as ``other``."""
    _buffer.add(name.value, value, dimensions, spec=METRICS[name])


def duration(name: MetricName, milliseconds: float, **dimensions: str) -> None:
    """Record how long something took, in milliseconds."""
    _buffer.add(name.value, milliseconds, dimensions, spec=METRICS[name])


def gauge(name: MetricName, value: float, **dimensions: str) -> None:
    """Record how something stands at the moment, in the metric's unit."""
    _buffer.add(name.value, value, dimensions, spec=METRICS[name])


def flush() -> None:
    """Write everything recorded so far to standard output, as EMF lines."""
    _buffer.flush()
