"""What the site sends, as far as we read it: unknown members are ignored, odd ones are survived.

Never the place for a rule: a model here says what may be absent, nothing more.
"""

import base64
import binascii
import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

TOKEN_CHARACTERS_MAX = 16_384
_JWT_PARTS = 3


def _text_or_none(value: object) -> str | None:
    """Ids and subjects come as numbers or strings; anything else is as good as absent."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _number_or_none(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _texts(value: object) -> tuple[str, ...]:
    """One text, an array, or PHP's array with holes, which becomes an object."""
    items = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(items, list):
        items = [items]
    texts = (_text_or_none(item) for item in items)
    return tuple(text for text in texts if text is not None)


def _words(value: object) -> tuple[str, ...]:
    """As ``_texts``; one text may hold several words."""
    return _texts(value.split() if isinstance(value, str) else value)


OptionalText = Annotated[str | None, BeforeValidator(_text_or_none)]
OptionalNumber = Annotated[float | None, BeforeValidator(_number_or_none)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
TokenText = Annotated[str, Field(max_length=TOKEN_CHARACTERS_MAX, pattern=r"^[\x21-\x7e]+$")]


class WireModel(BaseModel):
    """Base of all: frozen, unknown members dropped, values kept out of error texts."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class TokenAnswer(WireModel):
    """A token endpoint's success (RFC 6749 section 5.1); Drupal never sends ``scope``."""

    access_token: TokenText = Field(repr=False)
    refresh_token: TokenText | None = Field(default=None, repr=False)
    expires_in: Any = None


class AccessTokenClaims(WireModel):
    """Claims of an access token (RFC 9068), unverified: ``exp`` is a float, ``iss`` may lack."""

    sub: OptionalText = None
    jti: OptionalText = None
    scope: Words = ()
    exp: OptionalNumber = None


class UserInfo(WireModel):
    """The userinfo endpoint's answer (OpenID Connect Core section 5.3.2)."""

    sub: OptionalText = None


def unverified_claims(access_token: str) -> AccessTokenClaims:
    """The payload of a JWT, or empty claims where there is none to read.

    The signature is not checked: the token came straight from its issuer over TLS (OpenID Connect
    Core section 3.1.3.7 allows that), and only Drupal decides whether it is good.
    """
    parts = access_token.split(".")
    if len(parts) != _JWT_PARTS:
        return AccessTokenClaims()
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return AccessTokenClaims.model_validate(json.loads(payload))
    except (ValueError, binascii.Error, RecursionError, ValidationError):
        return AccessTokenClaims()
