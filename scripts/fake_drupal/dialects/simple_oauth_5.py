"""simple_oauth 5.2 on Drupal 9: scopes are roles, and no server metadata is published.

Recorded from 5.2.2; never put behaviour here, only what the answers look like.
"""

from scripts.fake_drupal.dialects.descriptions import COMMON_ERRORS, refresh_errors
from scripts.fake_drupal.dialects.model import Delivery, Dialect, ErrorShape, Failure, SiteScope

_ENABLED = "Check the configuration to see if the grant is enabled."
_ALL_GRANTS = frozenset({"authorization_code", "refresh_token", "client_credentials"})

SIMPLE_OAUTH_5 = Dialect(
    number=5,
    server="simple_oauth 5.2.2",
    site_name="Fake Drupal",
    errors={
        **COMMON_ERRORS,
        **refresh_errors(401, "invalid_request"),
        Failure.CODE_UNREADABLE: ErrorShape(
            400, "invalid_request", "Cannot decrypt the authorization code"
        ),
        Failure.CODE_REVOKED: ErrorShape(
            400, "invalid_request", "Authorization code has been revoked"
        ),
        Failure.CODE_EXPIRED: ErrorShape(400, "invalid_request", "Authorization code has expired"),
        Failure.GRANT_UNSUPPORTED: ErrorShape(400, "invalid_grant", _ENABLED),
        Failure.RESPONSE_TYPE_UNSUPPORTED: ErrorShape(400, "invalid_grant", _ENABLED),
        Failure.AUTHORIZE_CLIENT_MISSING: ErrorShape(401, "invalid_client"),
    },
    deliveries={
        Failure.USER_DENIED: Delivery.CALLBACK,
        Failure.SCOPE_UNKNOWN: Delivery.FRONT_PAGE,
        Failure.SCOPE_NOT_FOR_GRANT: Delivery.FRONT_PAGE,
        Failure.AUTHORIZE_REDIRECT_UNKNOWN: Delivery.FRONT_PAGE,
        Failure.RESPONSE_TYPE_UNSUPPORTED: Delivery.FRONT_PAGE,
        Failure.CHALLENGE_MISSING: Delivery.FRONT_PAGE,
        Failure.CHALLENGE_MALFORMED: Delivery.FRONT_PAGE,
        Failure.CHALLENGE_METHOD_UNKNOWN: Delivery.FRONT_PAGE,
    },
    scopes=tuple(
        SiteScope(name=role, role=role, grants=_ALL_GRANTS)
        for role in ("authenticated", "member", "editor", "administrator")
    ),
    demo_scopes=("member",),
    tool_scopes={
        "tutorial:read": "authenticated",
        "tutorial:search": "authenticated",
        "user:read": "authenticated",
        "user:write": "authenticated",
    },
    apology="The website encountered an unexpected error. Please try again later.",
    message_repeats_description=True,
    bearer_challenge=False,
    names_consumer=False,
    keys_public=False,
    server_metadata=False,
    issuer_claim=False,
    scope_claim_adds=("authenticated",),
    scope_required=False,
    userinfo_full=True,
    callback_body_html=True,
    notification_ends_early=True,
    callback_adds={"check_logged_in": "1"},
)
