"""A client proves who it is with a signed assertion (``private_key_jwt``; RFC 7521, RFC 7523).

Comes before anything else of a request: a wrong assertion touches no code, token or grant. It is
used up even if the request fails afterwards, so that nobody can try again with it.
"""

import base64
import binascii
import json
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.find_client import find_client
from functions.oauth.flows.ride_out import attempt_seconds, ride_out
from functions.oauth.parameters import Parameters
from functions.oauth.refusals import InvalidClientError
from shared.discovery.documents import TOKEN_PATH
from shared.domain.identifiers import ClientId, new_id
from shared.observability.logging import log
from shared.state import assertion_ids
from shared.state.assertion_ids import AssertionUse
from shared.vault.client_assertions import (
    ASSERTION_BYTES_MAX,
    AssertionRefusedError,
    signed_claims,
)

ASSERTION: Final = "client_assertion"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JTI_LENGTH_MAX: Final = 256
AUDIENCES_MAX: Final = 10
TIME_MAX: Final = 253_402_300_799.0
"""The last second of the year 9999, in seconds since the epoch."""


async def authenticate(dependencies: Dependencies, parameters: Parameters) -> Parameters:
    """The parameters, with the client that has proven itself by its assertion, if there is one.

    Raises:
        InvalidClientError: the assertion proves nothing, for whatever reason.
        UnavailableError: the database is away.
    """
    assertion, kind = parameters.get(ASSERTION), parameters.get("client_assertion_type")
    if assertion is None and kind is None:
        return parameters
    if assertion is None or kind != ASSERTION_TYPE:
        raise InvalidClientError(ASSERTION)
    client_id = parameters.get("client_id") or _claimed_client(assertion)
    # One name for all attempts: the second finds what the first one did.
    attempt = partial(_prove, dependencies, client_id, assertion, new_id())
    await ride_out(attempt, seconds=dependencies.ride_out_seconds)
    return parameters.proven_as(ClientId(client_id))


async def _prove(
    dependencies: Dependencies, client_id: str, assertion: str, request_id: UUID
) -> None:
    async with dependencies.database.transaction(timeout_seconds=attempt_seconds()) as tx:
        client = await find_client(dependencies, tx, client_id)
        if client is None or client.keys is None:
            raise InvalidClientError(ASSERTION)
        try:
            claims = _Claims(signed_claims(assertion, client.keys))
            use = claims.use_by(client.client_id, request_id, issuer=dependencies.issuer)
        except AssertionRefusedError:
            log.info("client assertion refused", reason="not_acceptable")
            raise InvalidClientError(ASSERTION) from None
        if not await assertion_ids.accept(tx, use):
            log.info("client assertion refused", reason="expired_or_used")
            raise InvalidClientError(ASSERTION)


@dataclass(frozen=True, slots=True)
class _Claims:
    """The claims of an assertion whose signature was good (RFC 7523 section 3)."""

    values: dict[str, Any]

    def use_by(self, client_id: ClientId, request_id: UUID, *, issuer: str) -> AssertionUse:
        """This use of the assertion; the database decides over its times and its ``jti``."""
        jti = self.values.get("jti")
        named = self.values.get("iss") == client_id and self.values.get("sub") == client_id
        if not named or not self._is_for(issuer):
            raise AssertionRefusedError
        if not isinstance(jti, str) or not 0 < len(jti) <= JTI_LENGTH_MAX or not jti.isprintable():
            raise AssertionRefusedError
        return AssertionUse(
            client_id=client_id,
            jti=jti,
            request_id=request_id,
            expires_at=self._time("exp", None),
            valid_from=max(self._time("nbf", 0.0), self._time("iat", 0.0)),
        )

    def _is_for(self, issuer: str) -> bool:
        """Whether we are meant: by our issuer, or by our token endpoint as older clients say it."""
        audience = self.values.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        ours = (issuer, f"{issuer}{TOKEN_PATH}")
        return len(audiences) <= AUDIENCES_MAX and any(one in ours for one in audiences)

    def _time(self, name: str, default: float | None) -> float:
        """A time, in seconds since the epoch (RFC 7519 section 2, NumericDate)."""
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise AssertionRefusedError
        if not 0 <= value <= TIME_MAX or not math.isfinite(value):
            raise AssertionRefusedError
        return float(value)


def _claimed_client(assertion: str) -> str:
    """Whose the assertion says it is: only to know whose keys to try (RFC 7521 section 4.2)."""
    try:
        if len(assertion) > ASSERTION_BYTES_MAX:
            raise InvalidClientError(ASSERTION)
        middle = assertion.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        subject = claims["sub"]
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error, RecursionError):
        raise InvalidClientError(ASSERTION) from None
    if not isinstance(subject, str) or not subject.isprintable():
        raise InvalidClientError(ASSERTION)
    return subject
