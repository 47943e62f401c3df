"""What operators do about an error: which dependency it speaks of, and the page that helps.

A code without a page has a reason: who causes it can end it, and waking somebody would not.
"""

from collections.abc import Mapping
from typing import Final

from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.errors.entries import Category

DEPENDENCIES: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.DATABASE_UNAVAILABLE: "postgres",
    ErrorCode.KEY_SERVICE_UNAVAILABLE: "kms",
    ErrorCode.KEY_UNUSABLE: "kms",
    ErrorCode.QUEUE_UNAVAILABLE: "sqs",
    ErrorCode.SPILL_UNAVAILABLE: "dynamodb",
    ErrorCode.ARCHIVE_UNAVAILABLE: "s3",
    ErrorCode.CLIENT_DOCUMENT_UNAVAILABLE: "client_host",
    ErrorCode.CLIENT_KEYS_UNAVAILABLE: "client_host",
    ErrorCode.SEARCH_UNAVAILABLE: "drupal_search",
    ErrorCode.UPSTREAM_RATE_LIMITED: "drupal",
    ErrorCode.UPSTREAM_UNAVAILABLE: "drupal",
    ErrorCode.UPSTREAM_TIMEOUT: "drupal",
    ErrorCode.UPSTREAM_MAINTENANCE: "drupal",
    ErrorCode.UPSTREAM_ANSWER_INVALID: "drupal",
    ErrorCode.UPSTREAM_MISCONFIGURED: "drupal",
}
"""Codes that are the fault of something else than us, and of what."""

_DRUPAL_AWAY: Final = "drupal-away.md"
_PARTS_AWAY: Final = "parts-away.md"
_UNUSABLE: Final = "key-unusable.md"
_OURS: Final = "our-own-faults.md"

RUNBOOKS: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.ACCOUNT_UNAVAILABLE: _DRUPAL_AWAY,
    ErrorCode.SIGN_IN_REFUSED_UPSTREAM: _DRUPAL_AWAY,
    ErrorCode.SEARCH_UNAVAILABLE: _DRUPAL_AWAY,
    ErrorCode.UPSTREAM_RATE_LIMITED: _DRUPAL_AWAY,
    ErrorCode.UPSTREAM_UNAVAILABLE: _DRUPAL_AWAY,
    ErrorCode.UPSTREAM_TIMEOUT: _DRUPAL_AWAY,
    ErrorCode.UPSTREAM_MAINTENANCE: _DRUPAL_AWAY,
    ErrorCode.UPSTREAM_ANSWER_INVALID: _DRUPAL_AWAY,
    ErrorCode.UPSTREAM_MISCONFIGURED: _DRUPAL_AWAY,
    ErrorCode.DATABASE_UNAVAILABLE: _PARTS_AWAY,
    ErrorCode.KEY_SERVICE_UNAVAILABLE: _PARTS_AWAY,
    ErrorCode.QUEUE_UNAVAILABLE: _PARTS_AWAY,
    ErrorCode.SPILL_UNAVAILABLE: _PARTS_AWAY,
    ErrorCode.ARCHIVE_UNAVAILABLE: _PARTS_AWAY,
    ErrorCode.KEY_UNUSABLE: _UNUSABLE,
    ErrorCode.SEALED_TOKEN_REFUSED: _UNUSABLE,
    ErrorCode.DEADLINE_EXCEEDED: _OURS,
    ErrorCode.SERVER_BUSY: _OURS,
    ErrorCode.INTERNAL_ERROR: _OURS,
}
"""By code, a page of ``docs/runbooks``."""

_REASONS: Final[Mapping[Category, str]] = {
    Category.AUTHENTICATION: "who is concerned signs in again",
    Category.AUTHORIZATION: "the person or the site decided so",
    Category.CLIENT: "the caller changes what it sends",
    Category.CONTENT: "the site decides what there is",
    Category.RATE_LIMIT: "it ends when the caller waits",
}


def why_no_runbook(code: ErrorCode) -> str | None:
    """The reason why nobody needs a page for this code; None where there is a page, or neither."""
    return None if code in RUNBOOKS else _REASONS.get(CATALOGUE[code].category)
