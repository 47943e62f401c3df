"""The error descriptions both modules send: RFC 6749 sections 4.1.2.1 and 5.2, nearly verbatim.

Never decide anything by these sentences; they are for people.
"""

from scripts.fake_drupal.dialects.model import ErrorShape, Failure

REFRESH_TOKEN_INVALID = "The refresh token is invalid."  # noqa: S105 - a sentence

DESCRIPTIONS: dict[str, str] = {
    "invalid_request": (
        "The request is missing a required parameter, includes an invalid parameter value, "
        "includes a parameter more than once, or is otherwise malformed."
    ),
    "invalid_grant": (
        "The provided authorization grant (e.g., authorization code, resource owner credentials) "
        "or refresh token is invalid, expired, revoked, does not match the redirection URI used "
        "in the authorization request, or was issued to another client."
    ),
    "invalid_client": "Client authentication failed",
    "invalid_scope": "The requested scope is invalid, unknown, or malformed",
    "unsupported_grant_type": (
        "The authorization grant type is not supported by the authorization server."
    ),
    "access_denied": "The resource owner or authorization server denied the request.",
    "server_error": (
        "The authorization server encountered an unexpected condition which prevented it from "
        "fulfilling the request: You need to set the OAuth2 private key."
    ),
}


def _request(parameter: str) -> ErrorShape:
    return ErrorShape(400, "invalid_request", f"Check the `{parameter}` parameter")


COMMON_ERRORS: dict[Failure, ErrorShape] = {
    Failure.CLIENT_MISSING: _request("client_id"),
    Failure.CLIENT_UNKNOWN: ErrorShape(401, "invalid_client"),
    Failure.SECRET_MISSING: _request("client_secret"),
    Failure.PRIVATE_KEY_MISSING: ErrorShape(500, "server_error"),
    Failure.CODE_MISSING: _request("code"),
    Failure.CODE_OTHER_CLIENT: ErrorShape(
        400, "invalid_request", "Authorization code was not issued to this client"
    ),
    Failure.REDIRECT_MISSING: _request("redirect_uri"),
    Failure.REDIRECT_MISMATCH: ErrorShape(400, "invalid_request", "Invalid redirect URI"),
    Failure.VERIFIER_MISSING: _request("code_verifier"),
    Failure.VERIFIER_MALFORMED: ErrorShape(
        400,
        "invalid_request",
        "Code Verifier must follow the specifications of RFC-7636.",
    ),
    Failure.VERIFIER_WRONG: ErrorShape(400, "invalid_grant", "Failed to verify `code_verifier`."),
    Failure.VERIFIER_UNEXPECTED: ErrorShape(
        400, "invalid_request", "code_verifier received when no code_challenge is present"
    ),
    Failure.REFRESH_MISSING: _request("refresh_token"),
    Failure.SCOPE_MISSING: _request("scope"),
    Failure.SCOPE_UNKNOWN: ErrorShape(400, "invalid_scope", "Check the `{scope}` scope"),
    Failure.SCOPE_NOT_FOR_GRANT: ErrorShape(400, "invalid_scope", "Check the `{scope}` scope"),
    Failure.CHALLENGE_MISSING: ErrorShape(
        400, "invalid_request", "Code challenge must be provided for public clients"
    ),
    Failure.CHALLENGE_MALFORMED: ErrorShape(
        400, "invalid_request", "Code challenge must follow the specifications of RFC-7636."
    ),
    Failure.CHALLENGE_METHOD_UNKNOWN: ErrorShape(
        400, "invalid_request", "Code challenge method must be one of `S256`, `plain`"
    ),
    Failure.AUTHORIZE_REDIRECT_UNKNOWN: ErrorShape(401, "invalid_client"),
    Failure.USER_DENIED: ErrorShape(401, "access_denied", "The user denied the request"),
}

REFRESH_HINTS: dict[Failure, str] = {
    Failure.REFRESH_UNREADABLE: "Cannot decrypt the refresh token",
    Failure.REFRESH_REVOKED: "Token has been revoked",
    Failure.REFRESH_EXPIRED: "Token has expired",
    Failure.REFRESH_OTHER_CLIENT: "Token is not linked to client",
}


def refresh_errors(status: int, error: str) -> dict[Failure, ErrorShape]:
    """The four ways a refresh token is invalid, with the status and code of one module."""
    return {
        failure: ErrorShape(status, error, hint, REFRESH_TOKEN_INVALID)
        for failure, hint in REFRESH_HINTS.items()
    }
