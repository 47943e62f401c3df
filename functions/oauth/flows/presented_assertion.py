"""An assertion as a client presents it: whether it is the client's own and meant for us (RFC 7523).

Whose keys to try is decided elsewhere; nothing counts here that no key has signed.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from functions.oauth.flows.client_keys import ASSERTION
from functions.oauth.refusals import InvalidClientError
from shared.discovery.documents import TOKEN_PATH
from shared.domain.client_keys import StoredKeySet
from shared.domain.identifiers import ClientId
from shared.observability.logging import log
from shared.state.assertion_ids import AssertionUse
from shared.vault.client_assertions import (
    ASSERTION_BYTES_MAX,
    AssertionRefusedError,
    names_algorithm,
    signed_claims,
)

JTI_LENGTH_MAX: Final = 256
AUDIENCES_MAX: Final = 10
TIME_MAX: Final = 253_402_300_799.0
"""The last second of the year 9999, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedAssertion:
    """An assertion as it came, with what it has to say to be this client's and for us."""

    assertion: str
    client_id: ClientId
    request_id: UUID
    """One for all attempts of the request: the second finds what the first one did."""
    issuer: str

    def use_by(self, keys: Mapping[str, Any]) -> AssertionUse | None:
        """This use of the assertion, if one of ``keys`` has signed it.

        Raises:
            InvalidClientError: it is signed, and not acceptable.
        """
        try:
            claims = _Claims(signed_claims(self.assertion, keys))
        except AssertionRefusedError:
            return None
        try:
            return claims.use_by(self.client_id, self.request_id, issuer=self.issuer)
        except AssertionRefusedError:
            log.info("client assertion refused", reason="not_acceptable")
            raise InvalidClientError(ASSERTION) from None

    def may_be_signed_by_others(self, stored: StoredKeySet | None) -> bool:
        """Whether it is worth to ask for keys that are newer than the stored ones."""
        just_fetched = stored is not None and stored.was_just_fetched
        return not just_fetched and names_algorithm(self.assertion)


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


def claimed_client(assertion: str) -> str:
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
