"""The points in which simple_oauth 5.2 and 6.0 differ: every such point is a field here.

Nothing here may read the state of a site; a dialect is constant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Failure(StrEnum):
    """Every way in which an authorization or token request is refused."""

    CLIENT_MISSING = "client_missing"
    CLIENT_UNKNOWN = "client_unknown"
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a name
    GRANT_UNSUPPORTED = "grant_unsupported"
    PRIVATE_KEY_MISSING = "private_key_missing"
    CODE_MISSING = "code_missing"
    CODE_UNREADABLE = "code_unreadable"
    CODE_REVOKED = "code_revoked"
    CODE_EXPIRED = "code_expired"
    CODE_OTHER_CLIENT = "code_other_client"
    REDIRECT_MISSING = "redirect_missing"
    REDIRECT_MISMATCH = "redirect_mismatch"
    VERIFIER_MISSING = "verifier_missing"
    VERIFIER_MALFORMED = "verifier_malformed"
    VERIFIER_WRONG = "verifier_wrong"
    VERIFIER_UNEXPECTED = "verifier_unexpected"
    REFRESH_MISSING = "refresh_missing"
    REFRESH_UNREADABLE = "refresh_unreadable"
    REFRESH_REVOKED = "refresh_revoked"
    REFRESH_EXPIRED = "refresh_expired"
    REFRESH_OTHER_CLIENT = "refresh_other_client"
    SCOPE_MISSING = "scope_missing"
    SCOPE_UNKNOWN = "scope_unknown"
    SCOPE_NOT_FOR_GRANT = "scope_not_for_grant"
    AUTHORIZE_CLIENT_MISSING = "authorize_client_missing"
    AUTHORIZE_REDIRECT_UNKNOWN = "authorize_redirect_unknown"
    RESPONSE_TYPE_UNSUPPORTED = "response_type_unsupported"
    CHALLENGE_MISSING = "challenge_missing"
    CHALLENGE_MALFORMED = "challenge_malformed"
    CHALLENGE_METHOD_UNKNOWN = "challenge_method_unknown"
    USER_DENIED = "user_denied"


class Delivery(StrEnum):
    """How a refused authorization request reaches the browser."""

    CALLBACK = "callback"
    JSON = "json"
    FRONT_PAGE = "front_page"


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """An OAuth error answer (RFC 6749 section 5.2); ``{scope}`` in a hint is filled in."""

    status: int
    error: str
    hint: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteScope:
    """A scope a site offers, the role that it lends, and the grants it is enabled for."""

    name: str
    role: str = "authenticated"
    grants: frozenset[str] = frozenset({"authorization_code", "refresh_token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One OAuth module's wire behaviour."""

    number: int
    server: str
    site_name: str
    errors: Mapping[Failure, ErrorShape]
    deliveries: Mapping[Failure, Delivery]
    scopes: tuple[SiteScope, ...]
    demo_scopes: tuple[str, ...]
    tool_scopes: Mapping[str, str]
    apology: str
    message_repeats_description: bool = False
    bearer_challenge: bool = True
    bearer_message: str | None = None
    names_consumer: bool = True
    keys_public: bool = True
    server_metadata: bool = True
    issuer_claim: bool = True
    scope_claim_adds: tuple[str, ...] = ()
    scope_required: bool = True
    userinfo_full: bool = False
    callback_body_html: bool = False
    notification_ends_early: bool = False
    callback_adds: Mapping[str, str] = field(default_factory=dict)

    def scope(self, name: str) -> SiteScope | None:
        """The offered scope of that name."""
        return next((scope for scope in self.scopes if scope.name == name), None)
