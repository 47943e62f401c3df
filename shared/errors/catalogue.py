"""The error catalogue: one row per error code, and the only place that words an error.

Nothing that leaves the house says more than a row of this table, a correlation id and, where the
row allows it, a retry time: no upstream text, no SQL, no trace.
"""

from enum import StrEnum

from shared.errors.entries import Category, ErrorEntry, Guidance, Severity


class ErrorCode(StrEnum):
    """Every error that can reach a caller; the value is the code people quote to support."""

    # authentication
    SIGN_IN_REQUIRED = "sign_in_required"
    ACCESS_TOKEN_INVALID = "access_token_invalid"
    ACCESS_TOKEN_EXPIRED = "access_token_expired"
    AUDIENCE_MISMATCH = "audience_mismatch"
    GRANT_ENDED = "grant_ended"
    ACCOUNT_UNAVAILABLE = "account_unavailable"
    SIGN_IN_EXPIRED = "sign_in_expired"
    SIGN_IN_OTHER_BROWSER = "sign_in_other_browser"
    SIGN_IN_REFUSED_UPSTREAM = "sign_in_refused_upstream"
    ACCOUNT_SIGN_IN_EXPIRED = "account_sign_in_expired"
    ACCOUNT_SIGN_IN_REFUSED = "account_sign_in_refused"
    ACCOUNT_FORM_EXPIRED = "account_form_expired"
    # authorization
    INSUFFICIENT_SCOPE = "insufficient_scope"
    SUBSCRIPTION_REQUIRED = "subscription_required"
    ACCESS_DENIED = "access_denied"
    # client
    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    UNKNOWN_CLIENT = "unknown_client"
    CLIENT_BLOCKED = "client_blocked"
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    REGISTRATION_DISABLED = "registration_disabled"
    CLIENT_DOCUMENT_INVALID = "client_document_invalid"
    CLIENT_DOCUMENT_UNAVAILABLE = "client_document_unavailable"
    CLIENT_KEYS_UNAVAILABLE = "client_keys_unavailable"
    INVALID_GRANT = "invalid_grant"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TARGET = "invalid_target"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_FOUND = "not_found"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    MALFORMED_MESSAGE = "malformed_message"
    ARGUMENTS_INVALID = "arguments_invalid"
    TOOL_UNKNOWN = "tool_unknown"
    PROMPT_UNKNOWN = "prompt_unknown"
    # search and content
    SEARCH_UNAVAILABLE = "search_unavailable"
    CONTENT_NOT_FOUND = "content_not_found"
    # rate limit
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_CALLS_AT_ONCE = "too_many_calls_at_once"
    UPSTREAM_RATE_LIMITED = "upstream_rate_limited"
    # system
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_MAINTENANCE = "upstream_maintenance"
    UPSTREAM_ANSWER_INVALID = "upstream_answer_invalid"
    UPSTREAM_MISCONFIGURED = "upstream_misconfigured"
    DATABASE_UNAVAILABLE = "database_unavailable"
    KEY_SERVICE_UNAVAILABLE = "key_service_unavailable"
    KEY_UNUSABLE = "key_unusable"
    QUEUE_UNAVAILABLE = "queue_unavailable"
    SPILL_UNAVAILABLE = "spill_unavailable"
    ARCHIVE_UNAVAILABLE = "archive_unavailable"
    SEALED_TOKEN_REFUSED = "sealed_token_refused"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    SERVER_BUSY = "server_busy"
    INTERNAL_ERROR = "internal_error"


def _sign_in(message: str, *, oauth_code: str = "invalid_token", status: int = 401) -> ErrorEntry:
    return ErrorEntry(
        category=Category.AUTHENTICATION,
        http_status=status,
        message=message,
        guidance=Guidance.SIGN_IN,
        oauth_code=oauth_code,
        jsonrpc_code=-32001,
        severity=Severity.INFO,
    )


def _client(
    message: str, *, oauth_code: str = "invalid_request", status: int = 400, jsonrpc: int = -32600
) -> ErrorEntry:
    return ErrorEntry(
        category=Category.CLIENT,
        http_status=status,
        message=message,
        guidance=Guidance.CHANGE_ARGUMENTS,
        oauth_code=oauth_code,
        jsonrpc_code=jsonrpc,
        severity=Severity.INFO,
    )


def _passing(
    message: str,
    *,
    retry_after_seconds: int,
    status: int = 503,
    category: Category = Category.SYSTEM,
    severity: Severity = Severity.WARNING,
) -> ErrorEntry:
    return ErrorEntry(
        category=category,
        http_status=status,
        message=message,
        guidance=Guidance.RETRY_LATER,
        oauth_code="temporarily_unavailable",
        # Free for implementations; -32002 meant "resource not found" and may not be used again.
        jsonrpc_code=-32003,
        retry_after_seconds=retry_after_seconds,
        severity=severity,
    )


CATALOGUE: dict[ErrorCode, ErrorEntry] = {
    ErrorCode.SIGN_IN_REQUIRED: _sign_in("Sign in to use this server."),
    ErrorCode.ACCESS_TOKEN_INVALID: _sign_in("The access token is not valid. Sign in again."),
    ErrorCode.ACCESS_TOKEN_EXPIRED: _sign_in(
        "The access token has expired. Use the refresh token, or sign in again."
    ),
    ErrorCode.AUDIENCE_MISMATCH: _sign_in(
        "The access token was issued for another resource. Ask for one for this server."
    ),
    ErrorCode.GRANT_ENDED: _sign_in("Access was withdrawn. Sign in again to give it anew."),
    ErrorCode.ACCOUNT_UNAVAILABLE: ErrorEntry(
        category=Category.AUTHENTICATION,
        http_status=403,
        message=(
            "The site does not accept this account at the moment. Check on the site that the "
            "account is active, then try again in a few minutes."
        ),
        guidance=Guidance.CONTACT_SUPPORT,
        oauth_code="access_denied",
        jsonrpc_code=-32001,
    ),
    ErrorCode.SIGN_IN_EXPIRED: _sign_in(
        "This sign-in has expired or was already completed. Start again from your application.",
        oauth_code="invalid_request",
        status=400,
    ),
    ErrorCode.SIGN_IN_OTHER_BROWSER: _sign_in(
        "This sign-in was started in another browser. Start again from your application and "
        "finish in the same browser.",
        oauth_code="access_denied",
        status=403,
    ),
    ErrorCode.SIGN_IN_REFUSED_UPSTREAM: _sign_in(
        "The site did not complete the sign-in. Start again from your application.",
        oauth_code="access_denied",
        status=400,
    ),
    ErrorCode.ACCOUNT_SIGN_IN_EXPIRED: _sign_in(
        "This sign-in has expired, was already completed, or began in another browser.",
        oauth_code="invalid_request",
        status=400,
    ),
    ErrorCode.ACCOUNT_SIGN_IN_REFUSED: _sign_in(
        "The site did not complete the sign-in. Nothing was changed.",
        oauth_code="access_denied",
        status=400,
    ),
    ErrorCode.ACCOUNT_FORM_EXPIRED: _sign_in(
        "The page that you used is out of date. Nothing was changed.",
        oauth_code="invalid_request",
        status=403,
    ),
    ErrorCode.INSUFFICIENT_SCOPE: ErrorEntry(
        category=Category.AUTHORIZATION,
        http_status=403,
        message="This needs a permission that was not given. Sign in again and allow it.",
        guidance=Guidance.SIGN_IN,
        oauth_code="insufficient_scope",
        jsonrpc_code=-32003,
        severity=Severity.INFO,
    ),
    ErrorCode.SUBSCRIPTION_REQUIRED: ErrorEntry(
        category=Category.AUTHORIZATION,
        http_status=403,
        message="This content is not included in the account's subscription.",
        guidance=Guidance.SUBSCRIBE,
        oauth_code="access_denied",
        jsonrpc_code=-32003,
        severity=Severity.INFO,
    ),
    ErrorCode.ACCESS_DENIED: ErrorEntry(
        category=Category.AUTHORIZATION,
        http_status=403,
        message="Access was not allowed. Nothing was connected.",
        guidance=Guidance.SIGN_IN,
        oauth_code="access_denied",
        jsonrpc_code=-32003,
        severity=Severity.INFO,
    ),
    ErrorCode.INVALID_REQUEST: _client("The request is not well formed."),
    ErrorCode.INVALID_CLIENT: _client(
        "This client is not registered here, or did not prove who it is. Register again.",
        oauth_code="invalid_client",
        status=401,
    ),
    ErrorCode.UNKNOWN_CLIENT: _client(
        "The application that sent you here is not known to this server, or no longer.",
        oauth_code="invalid_client",
    ),
    ErrorCode.CLIENT_BLOCKED: ErrorEntry(
        category=Category.CLIENT,
        http_status=400,
        message=(
            "The operators of this server have blocked this application. Signing in again does "
            "not help; its makers can ask the operators."
        ),
        guidance=Guidance.CONTACT_SUPPORT,
        oauth_code="unauthorized_client",
        jsonrpc_code=-32600,
        severity=Severity.INFO,
    ),
    ErrorCode.INVALID_REDIRECT_URI: _client(
        "The address to return to is not one that the application registered.",
        oauth_code="invalid_redirect_uri",
    ),
    ErrorCode.INVALID_CLIENT_METADATA: _client(
        "The client metadata is not acceptable.", oauth_code="invalid_client_metadata"
    ),
    ErrorCode.REGISTRATION_DISABLED: _client(
        "Clients cannot register themselves here. Use a client id that the operators gave, or a "
        "client that has a client metadata document.",
        oauth_code="access_denied",
        status=403,
    ),
    ErrorCode.CLIENT_DOCUMENT_INVALID: _client(
        "The application that sent you here describes itself in a document that is not acceptable.",
        oauth_code="invalid_client",
    ),
    ErrorCode.CLIENT_DOCUMENT_UNAVAILABLE: _passing(
        "The website on which the application describes itself does not answer at the moment.",
        retry_after_seconds=60,
        category=Category.CLIENT,
    ),
    ErrorCode.CLIENT_KEYS_UNAVAILABLE: _passing(
        "The website on which this client publishes its keys does not answer at the moment.",
        retry_after_seconds=15,
        category=Category.CLIENT,
    ),
    ErrorCode.INVALID_GRANT: _client(
        "The code or token is not valid for this client. Sign in again.", oauth_code="invalid_grant"
    ),
    ErrorCode.INVALID_SCOPE: _client(
        "A requested permission was not given before.", oauth_code="invalid_scope"
    ),
    ErrorCode.INVALID_TARGET: _client(
        "The requested resource is not served here.", oauth_code="invalid_target"
    ),
    ErrorCode.UNSUPPORTED_GRANT_TYPE: _client(
        "Only authorization_code and refresh_token are supported.",
        oauth_code="unsupported_grant_type",
    ),
    ErrorCode.UNSUPPORTED_RESPONSE_TYPE: _client(
        "Only the response type code is supported.", oauth_code="unsupported_response_type"
    ),
    ErrorCode.METHOD_NOT_ALLOWED: _client("This address does not take this method.", status=405),
    ErrorCode.NOT_FOUND: _client("There is nothing at this address.", status=404),
    ErrorCode.BODY_TOO_LARGE: _client("The request is too large.", status=413),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: _client("The content type is not supported.", status=415),
    ErrorCode.MALFORMED_MESSAGE: _client("The body is not a JSON-RPC message.", jsonrpc=-32700),
    ErrorCode.ARGUMENTS_INVALID: _client(
        "The arguments do not fit the tool's schema.", jsonrpc=-32602
    ),
    ErrorCode.TOOL_UNKNOWN: _client("There is no tool of this name.", jsonrpc=-32602),
    ErrorCode.PROMPT_UNKNOWN: _client("There is no prompt of this name.", jsonrpc=-32602),
    ErrorCode.SEARCH_UNAVAILABLE: _passing(
        "Search is not available at the moment. Reading by id still works.",
        retry_after_seconds=15,
        category=Category.SEARCH,
    ),
    ErrorCode.CONTENT_NOT_FOUND: ErrorEntry(
        category=Category.CONTENT,
        http_status=404,
        message="There is no such content, or it is no longer published. Search for it again.",
        guidance=Guidance.CHANGE_ARGUMENTS,
        jsonrpc_code=-32602,
        severity=Severity.INFO,
    ),
    ErrorCode.TOO_MANY_REQUESTS: _passing(
        "There were too many requests. Wait a moment, then try again.",
        retry_after_seconds=10,
        status=429,
        category=Category.RATE_LIMIT,
        severity=Severity.INFO,
    ),
    ErrorCode.TOO_MANY_CALLS_AT_ONCE: _passing(
        "Too many calls of this account run at once. Wait for some of them to end.",
        retry_after_seconds=2,
        status=429,
        category=Category.RATE_LIMIT,
        severity=Severity.INFO,
    ),
    ErrorCode.UPSTREAM_RATE_LIMITED: _passing(
        "The site asks for fewer requests.", retry_after_seconds=30, category=Category.RATE_LIMIT
    ),
    ErrorCode.UPSTREAM_UNAVAILABLE: _passing(
        "The site does not answer at the moment.", retry_after_seconds=15
    ),
    ErrorCode.UPSTREAM_TIMEOUT: _passing(
        "The site did not answer in time.", retry_after_seconds=15
    ),
    ErrorCode.UPSTREAM_MAINTENANCE: _passing(
        "The site is in maintenance.", retry_after_seconds=120, severity=Severity.INFO
    ),
    ErrorCode.UPSTREAM_ANSWER_INVALID: _passing(
        "The site's answer could not be understood.",
        retry_after_seconds=30,
        severity=Severity.ERROR,
    ),
    ErrorCode.UPSTREAM_MISCONFIGURED: _passing(
        "The connection to the site is misconfigured. Its operators have been told.",
        retry_after_seconds=300,
        severity=Severity.ERROR,
    ),
    ErrorCode.DATABASE_UNAVAILABLE: _passing(
        "The service is short of a part at the moment. Nothing was lost.", retry_after_seconds=5
    ),
    ErrorCode.KEY_SERVICE_UNAVAILABLE: _passing(
        "The service is short of a part at the moment. Nothing was lost.", retry_after_seconds=5
    ),
    ErrorCode.KEY_UNUSABLE: _passing(
        "The service cannot open its stored connections at the moment. Nothing was lost, and its "
        "operators have been told.",
        retry_after_seconds=60,
        severity=Severity.ERROR,
    ),
    ErrorCode.QUEUE_UNAVAILABLE: _passing(
        "The service is short of a part at the moment. Nothing was lost.", retry_after_seconds=5
    ),
    ErrorCode.SPILL_UNAVAILABLE: _passing(
        "The service is short of a part at the moment. Nothing was lost.", retry_after_seconds=5
    ),
    ErrorCode.ARCHIVE_UNAVAILABLE: _passing(
        "The service is short of a part at the moment. Nothing was lost.", retry_after_seconds=300
    ),
    ErrorCode.SEALED_TOKEN_REFUSED: _passing(
        "The stored connection to the site could not be read. Its operators have been told.",
        retry_after_seconds=300,
        severity=Severity.ERROR,
    ),
    ErrorCode.DEADLINE_EXCEEDED: _passing(
        "The request took too long and was stopped.", retry_after_seconds=5
    ),
    ErrorCode.SERVER_BUSY: _passing(
        "The service is busy. The request was not begun.", retry_after_seconds=2
    ),
    ErrorCode.INTERNAL_ERROR: ErrorEntry(
        category=Category.SYSTEM,
        http_status=500,
        message="Something went wrong on our side. It has been reported.",
        guidance=Guidance.CONTACT_SUPPORT,
        oauth_code="server_error",
        severity=Severity.ERROR,
    ),
}
