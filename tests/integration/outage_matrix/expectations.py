"""What each action is answered in each outage, as data: who notices, and by which code.

Actions that a cell does not name are answered as if nothing were away.
"""

from collections.abc import Mapping
from typing import Final

from shared.errors.catalogue import ErrorCode
from tests.integration.outage_matrix.actions import Action
from tests.integration.outage_matrix.faults import Away, Fault

DATABASE, KEYS = ErrorCode.DATABASE_UNAVAILABLE, ErrorCode.KEY_SERVICE_UNAVAILABLE
AWAY, LATE = ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_TIMEOUT
LIMITED, INVALID = ErrorCode.UPSTREAM_RATE_LIMITED, ErrorCode.UPSTREAM_ANSWER_INVALID
NO_SEARCH = ErrorCode.SEARCH_UNAVAILABLE
NO_DOCUMENT, BAD_DOCUMENT = (
    ErrorCode.CLIENT_DOCUMENT_UNAVAILABLE,
    ErrorCode.CLIENT_DOCUMENT_INVALID,
)
Cell = Mapping[Action, ErrorCode]

TOOLS: Final = (Action.SEARCH, Action.READ)
PAGES: Final = (Action.CONSENT, Action.CALLBACK, Action.DOCUMENT)
WELL: Final[Mapping[Action, int]] = {
    **dict.fromkeys(Action, 200),
    Action.CALLBACK: 303,
}

_TOOL_CODES: Final = {
    Fault.REFUSED: AWAY,
    Fault.HANG: LATE,
    Fault.SERVER_ERROR: AWAY,
    Fault.RATE_LIMITED: LIMITED,
    Fault.TRUNCATED: AWAY,
    Fault.OVERSIZED: INVALID,
    Fault.HTML: AWAY,
    Fault.REDIRECT: AWAY,
}
_DOCUMENT_CODES: Final = {
    **dict.fromkeys(Fault, NO_DOCUMENT),
    **dict.fromkeys((Fault.OVERSIZED, Fault.HTML, Fault.REDIRECT), BAD_DOCUMENT),
}
_ENGINE_CODES: Final = {
    Fault.REFUSED: NO_SEARCH,
    Fault.HANG: LATE,
    Fault.SERVER_ERROR: NO_SEARCH,
    Fault.HALF: LATE,
}

IMPOSSIBLE: Final[Mapping[tuple[Away, Fault], str]] = {
    (Away.POSTGRES, Fault.OVERSIZED): "a statement returns no more rows than its limit",
    (Away.POSTGRES, Fault.HTML): "Postgres speaks no HTTP",
    (Away.POSTGRES, Fault.REDIRECT): "Postgres speaks no HTTP",
    **{
        (Away.SEARCH, fault): "the engine answers Drupal, not us: this would be Drupal's own"
        for fault in (
            Fault.RATE_LIMITED,
            Fault.TRUNCATED,
            Fault.OVERSIZED,
            Fault.HTML,
            Fault.REDIRECT,
        )
    },
}
"""Cells that cannot be, each with the reason."""


def _away(away: Away, fault: Fault) -> Cell:
    """What an outage of ``away`` does that is noticed."""
    cells: Mapping[Away, Cell] = {
        Away.POSTGRES: dict.fromkeys((*TOOLS, *PAGES, Action.TOKEN), DATABASE),
        Away.KMS: dict.fromkeys((*TOOLS, Action.CALLBACK), KEYS),
        Away.DRUPAL_RPC: dict.fromkeys(TOOLS, _TOOL_CODES.get(fault, AWAY)),
        Away.DRUPAL_OAUTH: {Action.CALLBACK: _TOOL_CODES.get(fault, AWAY)},
        Away.SEARCH: {Action.SEARCH: _ENGINE_CODES.get(fault, NO_SEARCH)},
        Away.CLIENT_HOST: {Action.DOCUMENT: _DOCUMENT_CODES[fault]},
    }
    return cells[away]


def _cell(away: Away, fault: Fault) -> Cell:
    recovered = (away, fault) == (Away.DRUPAL_RPC, Fault.HALF)  # a read is tried again
    return {} if recovered or fault is Fault.SLOW else _away(away, fault)


CELLS: Final[Mapping[tuple[Away, Fault], Cell]] = {
    (away, fault): _cell(away, fault)
    for away in Away
    for fault in Fault
    if (away, fault) not in IMPOSSIBLE
    # A token request rides a bad moment out: which of its tries meets the fault is chance.
    and (away, fault) != (Away.POSTGRES, Fault.HALF)
}
