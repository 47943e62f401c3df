"""What every outage looks like from outside: a row for each part and each manner of being away.

The outage matrix of the integration tests proves every cell, and `docs/outages.md` shows the table.
Only data: how a part is made to be away stands with the tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.domain.circuits import Dependency
from shared.domain.health import Readiness
from shared.errors.catalogue import ErrorCode


class Away(StrEnum):
    """What can be away: the groups of rows."""

    POSTGRES = "postgres"
    KMS = "kms"
    DRUPAL_RPC = "drupal_rpc"
    DRUPAL_OAUTH = "drupal_oauth"
    SEARCH = "search"
    CLIENT_HOST = "client_host"
    """The host on which a client publishes its metadata document."""


class Fault(StrEnum):
    """How it is away: the rows."""

    REFUSED = "refused"
    HANG = "hang"
    SERVER_ERROR = "5xx"
    RATE_LIMITED = "429"
    SLOW = "slow"
    HALF = "half"
    """Every other call fails, the first one included."""
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    HTML = "html"
    """A page with 200, as a proxy in front sends it."""
    REDIRECT = "redirect"


class Action(StrEnum):
    """What is asked: the columns."""

    SEARCH = "search"
    READ = "read"
    CONSENT = "consent"
    CALLBACK = "callback"
    DOCUMENT = "client with a document"
    TOKEN = "token refresh"  # noqa: S105 - a column
    BACKGROUND = "background refresh"
    METADATA = "metadata"
    LIVE = "live"
    READY_MCP = "ready, MCP"
    READY_OAUTH = "ready, OAuth"


class Background(StrEnum):
    """What a tick of the schedule makes of one due pair; the grant lives in all of them."""

    REFRESHED = "refreshed"
    POSTPONED = "postponed"
    """Nothing was processed: it is due again in minutes."""
    IN_DOUBT = "postponed, in doubt"
    """The site may have processed it: no refusal is believed for two minutes."""
    NOT_BEGUN = "not begun"
    """The site was not asked."""
    NO_TICK = "no tick"
    """The tick itself failed, by ``database_unavailable``: the next one is a minute away."""


class Opens(StrEnum):
    """What the circuit in front of the part does after enough calls."""

    NOWHERE = "closed"
    HERE = "open here"
    """In every environment that has seen enough; these circuits are not shared, or half of the
    calls are too few failures for the fleet."""
    FLEET = "open"
    """In the whole fleet, environments that have made no call included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is answered in one outage; what is not named is answered as ever."""

    search: ErrorCode | None = None
    read: ErrorCode | None = None
    consent: ErrorCode | None = None
    callback: ErrorCode | None = None
    document: ErrorCode | None = None
    token: ErrorCode | None = None
    background: Background = Background.REFRESHED
    ready_mcp: Readiness = Readiness.READY
    ready_oauth: Readiness = Readiness.READY
    circuit: Opens = Opens.NOWHERE

    def code(self, action: Action) -> ErrorCode | None:
        """The error that ``action`` ends with; None for those that are answered as ever."""
        codes = {
            Action.SEARCH: self.search,
            Action.READ: self.read,
            Action.CONSENT: self.consent,
            Action.CALLBACK: self.callback,
            Action.DOCUMENT: self.document,
            Action.TOKEN: self.token,
        }
        return codes.get(action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """A row that cannot be, and why."""

    reason: str


_DATABASE, _KEYS = ErrorCode.DATABASE_UNAVAILABLE, ErrorCode.KEY_SERVICE_UNAVAILABLE
_AWAY, _LATE = ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_TIMEOUT
_LIMITED, _INVALID = ErrorCode.UPSTREAM_RATE_LIMITED, ErrorCode.UPSTREAM_ANSWER_INVALID
_NO_SEARCH = ErrorCode.SEARCH_UNAVAILABLE
_NO_DOCUMENT = ErrorCode.CLIENT_DOCUMENT_UNAVAILABLE
_BAD_DOCUMENT = ErrorCode.CLIENT_DOCUMENT_INVALID
_DEGRADED = Readiness.DEGRADED
_WELL = Row()


def _postgres(circuit: Opens = Opens.HERE) -> Row:
    """Nobody can be told who they are; what needs no database goes on."""
    return Row(
        search=_DATABASE,
        read=_DATABASE,
        consent=_DATABASE,
        callback=_DATABASE,
        document=_DATABASE,
        token=_DATABASE,
        background=Background.NO_TICK,
        ready_mcp=Readiness.UNAVAILABLE,
        ready_oauth=Readiness.UNAVAILABLE,
        circuit=circuit,
    )


def _kms() -> Row:
    """No pair can be opened or sealed; tokens of ours need no key of KMS."""
    return Row(
        search=_KEYS,
        read=_KEYS,
        callback=_KEYS,
        background=Background.NOT_BEGUN,
        circuit=Opens.HERE,
    )


def _rpc(code: ErrorCode) -> Row:
    return Row(search=code, read=code, ready_mcp=_DEGRADED, circuit=Opens.FLEET)


def _oauth(
    code: ErrorCode,
    background: Background = Background.IN_DOUBT,
    circuit: Opens = Opens.FLEET,
) -> Row:
    return Row(callback=code, background=background, ready_oauth=_DEGRADED, circuit=circuit)


def _engine(code: ErrorCode) -> Row:
    return Row(search=code, circuit=Opens.FLEET)


_NO_HTTP = Impossible(reason="Postgres speaks no HTTP")
_BEHIND_DRUPAL = Impossible(
    reason="the engine answers Drupal, not us: what arrives is Drupal's own answer, as above"
)

TABLE: Final[Mapping[Away, Mapping[Fault, Row | Impossible]]] = MappingProxyType(
    {
        Away.POSTGRES: {
            Fault.REFUSED: _postgres(),
            Fault.HANG: _postgres(),
            Fault.SERVER_ERROR: _postgres(),  # starting up, or shutting down
            Fault.RATE_LIMITED: _postgres(),  # no connection is left for us
            Fault.SLOW: _WELL,
            # A second connection works: who rides a moment out, or asks twice, never notices.
            Fault.HALF: Row(
                search=_DATABASE,
                read=_DATABASE,
                consent=_DATABASE,
                callback=_DATABASE,
                ready_mcp=Readiness.UNAVAILABLE,
                ready_oauth=Readiness.UNAVAILABLE,
            ),
            # Cut within the answer to a statement: connecting works, so no circuit opens.
            Fault.TRUNCATED: _postgres(Opens.NOWHERE),
            Fault.OVERSIZED: Impossible(reason="a statement returns no more rows than its limit"),
            Fault.HTML: _NO_HTTP,
            Fault.REDIRECT: _NO_HTTP,
        },
        Away.KMS: {
            Fault.REFUSED: _kms(),
            Fault.HANG: _kms(),
            Fault.SERVER_ERROR: _kms(),
            Fault.RATE_LIMITED: _kms(),
            Fault.SLOW: _WELL,
            # The second call brings the key, and nobody needs another for minutes.
            Fault.HALF: replace(_kms(), circuit=Opens.NOWHERE),
            Fault.TRUNCATED: _kms(),
            Fault.OVERSIZED: _kms(),
            Fault.HTML: _kms(),
            Fault.REDIRECT: _kms(),
        },
        Away.DRUPAL_RPC: {
            Fault.REFUSED: _rpc(_AWAY),
            Fault.HANG: _rpc(_LATE),
            Fault.SERVER_ERROR: _rpc(_AWAY),
            Fault.RATE_LIMITED: _rpc(_LIMITED),
            Fault.SLOW: _WELL,
            # A read is tried again, and nobody notices until there is a circuit to open.
            Fault.HALF: Row(ready_mcp=_DEGRADED, circuit=Opens.HERE),
            Fault.TRUNCATED: _rpc(_AWAY),
            Fault.OVERSIZED: _rpc(_INVALID),
            Fault.HTML: _rpc(_AWAY),
            Fault.REDIRECT: _rpc(_AWAY),
        },
        Away.DRUPAL_OAUTH: {
            Fault.REFUSED: _oauth(_AWAY),
            Fault.HANG: _oauth(_LATE),
            Fault.SERVER_ERROR: _oauth(_AWAY),
            Fault.RATE_LIMITED: _oauth(_LIMITED, Background.POSTPONED),
            Fault.SLOW: _WELL,
            Fault.HALF: _oauth(_AWAY, circuit=Opens.HERE),
            Fault.TRUNCATED: _oauth(_AWAY),
            Fault.OVERSIZED: _oauth(_INVALID),
            Fault.HTML: _oauth(_AWAY),
            Fault.REDIRECT: _oauth(_AWAY),
        },
        Away.SEARCH: {
            Fault.REFUSED: _engine(_NO_SEARCH),
            Fault.HANG: _engine(_LATE),
            Fault.SERVER_ERROR: _engine(_NO_SEARCH),
            Fault.RATE_LIMITED: _BEHIND_DRUPAL,
            Fault.SLOW: _WELL,
            # Half of the searches hang: what used up its time is not tried again.
            Fault.HALF: Row(search=_LATE, circuit=Opens.HERE),
            Fault.TRUNCATED: _BEHIND_DRUPAL,
            Fault.OVERSIZED: _BEHIND_DRUPAL,
            Fault.HTML: _BEHIND_DRUPAL,
            Fault.REDIRECT: _BEHIND_DRUPAL,
        },
        Away.CLIENT_HOST: {
            Fault.REFUSED: Row(document=_NO_DOCUMENT),
            Fault.HANG: Row(document=_NO_DOCUMENT),
            Fault.SERVER_ERROR: Row(document=_NO_DOCUMENT),
            Fault.RATE_LIMITED: Row(document=_NO_DOCUMENT),
            Fault.SLOW: _WELL,
            Fault.HALF: Row(document=_NO_DOCUMENT),
            Fault.TRUNCATED: Row(document=_NO_DOCUMENT),
            Fault.OVERSIZED: Row(document=_BAD_DOCUMENT),
            Fault.HTML: Row(document=_BAD_DOCUMENT),
            Fault.REDIRECT: Row(document=_BAD_DOCUMENT),
        },
    }
)

CIRCUITS: Final[Mapping[Away, Dependency]] = MappingProxyType(
    {
        Away.POSTGRES: Dependency.POSTGRES,
        Away.KMS: Dependency.KMS,
        Away.DRUPAL_RPC: Dependency.DRUPAL_RPC,
        Away.DRUPAL_OAUTH: Dependency.DRUPAL_OAUTH,
        Away.SEARCH: Dependency.DRUPAL_SEARCH,
    }
)
"""The circuit in front of each part; hosts of strangers have none, each is asked once."""


def rows_of(away: Away) -> dict[Fault, Row]:
    """The rows that can be."""
    return {fault: row for fault, row in TABLE[away].items() if isinstance(row, Row)}
