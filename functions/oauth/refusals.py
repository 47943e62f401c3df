"""Requests that are refused, one class per catalogue code, for endpoints and flows alike.

What a caller reads is the catalogue's text and at most the name of a parameter of ours; never
anything that the caller sent.
"""

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode


class RefusalError(ServiceError):
    """The request is refused; ``parameter`` names the one at fault, by our own constant."""

    code = ErrorCode.INVALID_REQUEST

    def __init__(self, parameter: str | None = None) -> None:
        super().__init__({"parameter": parameter} if parameter else None)
        self.parameter = parameter


class InvalidRequestError(RefusalError):
    """Malformed, repeated or missing parameters."""


class BodyTooLargeError(RefusalError):
    """More bytes than the endpoint reads."""

    code = ErrorCode.BODY_TOO_LARGE


class UnsupportedMediaTypeError(RefusalError):
    """Not the content type that the endpoint reads."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class NotFoundError(RefusalError):
    """No such path."""

    code = ErrorCode.NOT_FOUND


class MethodNotAllowedError(RefusalError):
    """Known path, other method."""

    code = ErrorCode.METHOD_NOT_ALLOWED


class UnknownClientError(RefusalError):
    """A person arrived from a client that is not registered; told on a page, never redirected."""

    code = ErrorCode.UNKNOWN_CLIENT


class ClientBlockedError(RefusalError):
    """An operator has blocked the client: told on a page or by the endpoint, never redirected."""

    code = ErrorCode.CLIENT_BLOCKED


class InvalidClientError(RefusalError):
    """Unknown client at a back-channel endpoint; clients register again on this answer."""

    code = ErrorCode.INVALID_CLIENT


class InvalidRedirectUriError(RefusalError):
    """Not registered, or not acceptable for registration."""

    code = ErrorCode.INVALID_REDIRECT_URI


class InvalidClientMetadataError(RefusalError):
    """RFC 7591 section 3.2.2."""

    code = ErrorCode.INVALID_CLIENT_METADATA


class RegistrationDisabledError(RefusalError):
    """Clients cannot register themselves in this deployment."""

    code = ErrorCode.REGISTRATION_DISABLED


class InvalidGrantError(RefusalError):
    """Unknown, expired, used and foreign codes and tokens look alike from outside."""

    code = ErrorCode.INVALID_GRANT


class InvalidScopeError(RefusalError):
    """More than was given."""

    code = ErrorCode.INVALID_SCOPE


class InvalidTargetError(RefusalError):
    """A resource that is not served here (RFC 8707 section 2)."""

    code = ErrorCode.INVALID_TARGET


class UnsupportedGrantTypeError(RefusalError):
    """Neither ``authorization_code`` nor ``refresh_token``."""

    code = ErrorCode.UNSUPPORTED_GRANT_TYPE


class UnsupportedResponseTypeError(RefusalError):
    """Not ``code``."""

    code = ErrorCode.UNSUPPORTED_RESPONSE_TYPE


class AccessDeniedError(RefusalError):
    """The person said no, here or at Drupal."""

    code = ErrorCode.ACCESS_DENIED


class SignInExpiredError(RefusalError):
    """No open sign-in belongs to this request."""

    code = ErrorCode.SIGN_IN_EXPIRED


class SignInOtherBrowserError(RefusalError):
    """The cookie is not that of the browser which started the sign-in."""

    code = ErrorCode.SIGN_IN_OTHER_BROWSER


class SignInRefusedUpstreamError(RefusalError):
    """Drupal sent the person back without a usable code."""

    code = ErrorCode.SIGN_IN_REFUSED_UPSTREAM


class AccountSignInExpiredError(RefusalError):
    """No open sign-in to the account page belongs to this browser and state."""

    code = ErrorCode.ACCOUNT_SIGN_IN_EXPIRED


class AccountSignInRefusedError(RefusalError):
    """Drupal sent the person back to the account page without a usable code."""

    code = ErrorCode.ACCOUNT_SIGN_IN_REFUSED


class AccountFormExpiredError(RefusalError):
    """A form of the account page that is not of a visit under way in this browser."""

    code = ErrorCode.ACCOUNT_FORM_EXPIRED


class TooManyRequestsError(ServiceError):
    """An allowance is used up; the caller may come back after ``retry_after_seconds``."""

    code = ErrorCode.TOO_MANY_REQUESTS


class ReturnedToClientError(ServiceError):
    """A refusal that the client hears through the person's browser (RFC 6749 section 4.1.2.1).

    Only raised once the redirect URI has been found among the client's registered ones.
    """

    def __init__(
        self, refusal: ServiceError, *, redirect_uri: str, client_state: str | None
    ) -> None:
        super().__init__(refusal.facts)
        self.refusal = refusal
        self.redirect_uri = redirect_uri
        self.client_state = client_state


class HeldReturnError(ReturnedToClientError):
    """As its parent, but the person decides on a page whether the client hears of it.

    Anybody can register a redirect URI, and a link with a faulty request would take whoever
    follows it there in our name (RFC 9700 section 4.11.2).
    """
