"""Who is calling: the bearer check and the one challenge that tells a client what to do.

Never turns an outage into a 401: a client would throw its tokens away for nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import urlsplit

from functions.mcp_endpoint.admission import refusal_of
from functions.mcp_endpoint.answers import Answer, Scope, header_values, message_error
from shared.domain.grants import AuthenticatedCall
from shared.domain.identifiers import CallId
from shared.domain.scopes import SCOPES_OFFERED
from shared.domain.tokens import TokenHash, TokenKind, has_shape, hash_token
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import JsonObject
from shared.state.calls import Admission, CallRecord

FindCall = Callable[[TokenHash, Admission | None], Awaitable[CallRecord | None]]
"""All that a request needs to know about a bearer, in one database round trip; lets the call in,
where it asks for it."""


class SignInRequiredError(ServiceError):
    """No access token was sent."""

    code: ClassVar[ErrorCode] = ErrorCode.SIGN_IN_REQUIRED


class AccessTokenInvalidError(ServiceError):
    """The access token is not one of ours, or not known any more."""

    code: ClassVar[ErrorCode] = ErrorCode.ACCESS_TOKEN_INVALID


class AccessTokenExpiredError(ServiceError):
    """The access token has expired."""

    code: ClassVar[ErrorCode] = ErrorCode.ACCESS_TOKEN_EXPIRED


class AudienceMismatchError(ServiceError):
    """The access token was issued for another resource."""

    code: ClassVar[ErrorCode] = ErrorCode.AUDIENCE_MISMATCH


class AccessWithdrawnError(ServiceError):
    """The session or its grant has ended."""

    code: ClassVar[ErrorCode] = ErrorCode.GRANT_ENDED


class InsufficientScopeError(ServiceError):
    """The person did not allow what this message needs."""

    code: ClassVar[ErrorCode] = ErrorCode.INSUFFICIENT_SCOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCall:
    """Somebody who may call, and what stands against this one call all the same.

    ``call_id`` is set when it holds one of the person's slots.
    """

    call: AuthenticatedCall
    call_id: CallId | None
    refusal: ServiceError | None
    reads_only: bool = False
    """Whether Postgres could not be asked: nothing that changes anything may begin."""


class BearerCheck:
    """Turns the Authorization header into an authenticated call."""

    def __init__(
        self,
        *,
        find_call: FindCall,
        resource: str,
        scopes_offered: tuple[str, ...] = SCOPES_OFFERED,
    ) -> None:
        self._find_call = find_call
        self._resource = resource
        self._scopes_offered = scopes_offered

    async def authenticate(self, scope: Scope, admission: Admission | None = None) -> CheckedCall:
        """Authenticate a request (RFC 6750 section 2.1), and let it in as it asks.

        Raises:
            SignInRequiredError: no bearer was sent.
            AccessTokenInvalidError: malformed or unknown.
            AccessTokenExpiredError: known, and over.
            AudienceMismatchError: issued for another resource (RFC 8707 section 2).
            AccessWithdrawnError: its session or grant has ended.
            UnavailableError: the database is away; says nothing about the bearer.
        """
        token = _sent_token(scope)
        if not has_shape(token, TokenKind.ACCESS):
            raise AccessTokenInvalidError({"reason": "shape"})
        record = await self._find_call(hash_token(token), admission)
        if record is None:
            raise AccessTokenInvalidError({"reason": "unknown"})
        call, refusal = self._judge(record), refusal_of(record)
        holds_slot = refusal is None and not record.remembered
        return CheckedCall(
            call=call,
            call_id=admission.call_id if admission is not None and holds_slot else None,
            refusal=refusal,
            reads_only=record.remembered,
        )

    def _judge(self, record: CallRecord) -> AuthenticatedCall:
        if record.session_ended or record.grant_ended:
            raise AccessWithdrawnError
        if record.token_expired:
            raise AccessTokenExpiredError
        if record.resource != self._resource:
            raise AudienceMismatchError
        if record.call is None:
            raise AccessWithdrawnError({"reason": "no pair"})
        # What is no longer offered counts no more, whoever was given it before.
        scopes = tuple(scope for scope in record.call.scopes if scope in self._scopes_offered)
        return replace(record.call, scopes=scopes)


def _sent_token(scope: Scope) -> str:
    values = header_values(scope, b"authorization")
    if len(values) > 1:
        raise AccessTokenInvalidError({"reason": "several headers"})
    scheme, _, token = values[0].strip().partition(" ") if values else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise SignInRequiredError
    return token.strip()


class Challenges:
    """Words the one challenge of a 401 or 403 (RFC 6750 section 3, RFC 9728 section 5.1).

    Function URLs rename ``WWW-Authenticate``, and browsers hide it from scripts: the same content
    travels in ``X-Mcp-Challenge`` and in the body's ``data`` too.
    """

    def __init__(self, *, resource: str, scopes_offered: Iterable[str]) -> None:
        parts = urlsplit(resource)
        self._metadata_url = (
            f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"
        )
        self._scopes_offered = " ".join(scopes_offered)

    def sign_in(self, error: ServiceError, *, request_id: str | int | None) -> Answer:
        """The 401 for an absent or refused token; absent ones get no ``error`` (section 3.1)."""
        named = error.code is not ErrorCode.SIGN_IN_REQUIRED
        return self._answer(error, request_id=request_id, named=named, scopes=self._scopes_offered)

    def allow(
        self, error: ServiceError, *, request_id: str | int | None, scopes: Iterable[str]
    ) -> Answer:
        """The 403 for a missing permission.

        ``scopes`` are the needed and the granted ones together: some clients ask next time for
        exactly what is written here, and would lose what they have.
        """
        return self._answer(error, request_id=request_id, named=True, scopes=" ".join(scopes))

    def _answer(
        self, error: ServiceError, *, request_id: str | int | None, named: bool, scopes: str
    ) -> Answer:
        parameters: JsonObject = {}
        if named:
            parameters["error"] = error.entry.oauth_code
            parameters["error_description"] = error.entry.message
        parameters["resource_metadata"] = self._metadata_url
        parameters["scope"] = scopes
        challenge = "Bearer " + ", ".join(f'{key}="{text}"' for key, text in parameters.items())
        return message_error(
            error,
            request_id=request_id,
            headers={"www-authenticate": challenge, "x-mcp-challenge": challenge},
            details={
                **parameters,
                "what_to_do": (
                    "Read resource_metadata (RFC 9728), sign the person in at the authorization "
                    "server it names, and send the access token as Authorization: Bearer."
                ),
            },
        )
