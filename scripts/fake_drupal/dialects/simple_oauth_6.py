"""simple_oauth 6.0 on Drupal 10, with the server metadata, revocation and DCR add-ons.

Recorded from 6.0.9; never put behaviour here, only what the answers look like.
"""

from scripts.fake_drupal.dialects.descriptions import COMMON_ERRORS, refresh_errors
from scripts.fake_drupal.dialects.model import Delivery, Dialect, ErrorShape, Failure, SiteScope

_ALL_GRANTS = frozenset({"authorization_code", "refresh_token", "client_credentials"})
_ALL_PARAMETERS = "Check that all required parameters have been provided"

SIMPLE_OAUTH_6 = Dialect(
    number=6,
    server="simple_oauth 6.0.9",
    site_name="Fake Drupal",
    errors={
        **COMMON_ERRORS,
        **refresh_errors(400, "invalid_grant"),
        Failure.CODE_UNREADABLE: ErrorShape(
            400, "invalid_grant", "Cannot validate the provided authorization code"
        ),
        Failure.CODE_REVOKED: ErrorShape(
            400, "invalid_grant", "Authorization code has been revoked"
        ),
        Failure.CODE_EXPIRED: ErrorShape(400, "invalid_grant", "Authorization code has expired"),
        Failure.GRANT_UNSUPPORTED: ErrorShape(400, "unsupported_grant_type", _ALL_PARAMETERS),
        Failure.RESPONSE_TYPE_UNSUPPORTED: ErrorShape(
            400, "unsupported_grant_type", _ALL_PARAMETERS
        ),
        Failure.AUTHORIZE_CLIENT_MISSING: ErrorShape(
            400, "invalid_request", "Check the `client_id` parameter"
        ),
    },
    deliveries={
        Failure.SCOPE_UNKNOWN: Delivery.CALLBACK,
        Failure.USER_DENIED: Delivery.CALLBACK,
    },
    scopes=(
        SiteScope(name="tutorial:read", grants=_ALL_GRANTS),
        SiteScope(name="tutorial:search", grants=_ALL_GRANTS),
        SiteScope(name="member", role="member"),
        SiteScope(name="admin:access", role="administrator"),
        SiteScope(name="user:read"),
        SiteScope(name="user:write"),
        SiteScope(name="openid"),
        SiteScope(name="email", grants=frozenset()),
        SiteScope(name="profile", grants=frozenset()),
        SiteScope(name="cc:only", grants=frozenset({"client_credentials"})),
    ),
    demo_scopes=("tutorial:read", "tutorial:search", "member"),
    tool_scopes={
        "tutorial:read": "tutorial:read",
        "tutorial:search": "tutorial:search",
        "user:read": "tutorial:read",
        "user:write": "user:write",
    },
    apology="The website encountered an unexpected error. Try again later.",
    bearer_message="The resource owner or authorization server denied the request.",
)
