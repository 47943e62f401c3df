"""What can go wrong between us and the Drupal site, one exception per thing a caller does next.

No exception here ever carries a word of what the site answered: facts are statuses and codes.
"""

from collections.abc import Mapping

from shared.errors.base import LogFact, ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode


class UpstreamUnavailableError(UnavailableError):
    """The site is away, or answers with what only a broken or blocked site answers.

    ``sent`` is True when the request may have been processed all the same: the outcome of a
    refresh is then in doubt. It is False when the request never left, or was turned away before
    anything was done.
    """

    code = ErrorCode.UPSTREAM_UNAVAILABLE

    def __init__(
        self,
        facts: Mapping[str, LogFact] | None = None,
        *,
        sent: bool = True,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__({**(facts or {}), "sent": sent}, retry_after_seconds=retry_after_seconds)
        self.sent = sent


class UpstreamTimeoutError(UpstreamUnavailableError):
    """The site did not answer in time."""

    code = ErrorCode.UPSTREAM_TIMEOUT


class UpstreamMaintenanceError(UpstreamUnavailableError):
    """The site says that it is in maintenance; it turns every request away at the door."""

    code = ErrorCode.UPSTREAM_MAINTENANCE


class UpstreamRateLimitedError(UpstreamUnavailableError):
    """Something in front of the site asks for fewer requests (Drupal itself never does)."""

    code = ErrorCode.UPSTREAM_RATE_LIMITED


class UpstreamAnswerInvalidError(UpstreamUnavailableError):
    """The site answered in a form that it should never use."""

    code = ErrorCode.UPSTREAM_ANSWER_INVALID


class SearchUnavailableError(UpstreamUnavailableError):
    """The site's search engine is away; everything else on the site may work."""

    code = ErrorCode.SEARCH_UNAVAILABLE


class UpstreamMisconfiguredError(ServiceError):
    """The site refuses our client or does not know our method: operators act, no person can."""

    code = ErrorCode.UPSTREAM_MISCONFIGURED


class UpstreamTokenRejectedError(ServiceError):
    """A call was refused for its access token: expired, rotated, or the account is blocked."""

    code = ErrorCode.ACCOUNT_UNAVAILABLE


class RefreshRejectedError(ServiceError):
    """The site does not accept this refresh token (any more)."""

    code = ErrorCode.GRANT_ENDED


class CodeRejectedError(ServiceError):
    """The site does not accept this authorization code."""

    code = ErrorCode.SIGN_IN_REFUSED_UPSTREAM


class InsufficientUpstreamScopeError(ServiceError):
    """The access token lacks scopes that a tool of the site asks for; ``scopes`` names them."""

    code = ErrorCode.INSUFFICIENT_SCOPE

    def __init__(self, scopes: tuple[str, ...], facts: Mapping[str, LogFact] | None = None) -> None:
        super().__init__(facts)
        self.scopes = scopes


class AccessForbiddenError(ServiceError):
    """The person may not do this at the site; most often the subscription does not cover it."""

    code = ErrorCode.SUBSCRIPTION_REQUIRED


class ContentNotFoundError(ServiceError):
    """There is no such content at the site, or nobody may see it."""

    code = ErrorCode.CONTENT_NOT_FOUND


class ArgumentsRejectedError(ServiceError):
    """The site's method refuses its parameters."""

    code = ErrorCode.ARGUMENTS_INVALID
