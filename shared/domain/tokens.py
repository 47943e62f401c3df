"""Our opaque tokens and codes: minted from 256 random bits, known to the database by hash only."""

import hashlib
import re
import secrets
from enum import StrEnum
from typing import NewType

PlainToken = NewType("PlainToken", str)
"""A token, code or state as its holder knows it. Never stored, never logged."""

TokenHash = NewType("TokenHash", bytes)
"""SHA-256 of a plain token: 32 bytes, all that the database keeps."""

_TOKEN_BYTES = 32


class TokenKind(StrEnum):
    """The prefix tells people, scanners and alarms what they found."""

    ACCESS = "dmcp_at_"
    REFRESH = "dmcp_rt_"
    CODE = "dmcp_ac_"
    STATE = "dmcp_st_"
    """Sent to Drupal with the person's browser and expected back."""
    BROWSER = "dmcp_bb_"
    """In the browser's cookie: binds a sign-in to the browser that started it."""
    CONSENT = "dmcp_cs_"
    """In the consent form: binds the answer to this rendering of the page."""
    ACCOUNT_STATE = "dmcp_as_"
    """As ``STATE``, for a sign-in to the account page."""
    ACCOUNT_VISIT = "dmcp_av_"
    """In the cookie of a person who is signed in to the account page."""
    ACCOUNT_FORM = "dmcp_af_"
    """In the forms of the account page: proves that they are of this visit."""


TOKEN_PATTERN = re.compile(r"dmcp_(at|rt|ac|st|bb|cs|as|av|af)_[A-Za-z0-9_-]{43}")
"""The exact shape of every token of ours; redaction and alarms look for it."""


def mint(kind: TokenKind) -> PlainToken:
    """A new token with 256 bits of randomness."""
    return PlainToken(kind.value + secrets.token_urlsafe(_TOKEN_BYTES))


def hash_token(token: str) -> TokenHash:
    """What the database stores and looks up.

    A plain hash is enough: 256 random bits leave nothing to guess.
    """
    return TokenHash(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())


def has_shape(token: str, kind: TokenKind) -> bool:
    """Whether ``token`` can be one of ours at all; checked before any look-up."""
    return token.startswith(kind.value) and TOKEN_PATTERN.fullmatch(token) is not None
