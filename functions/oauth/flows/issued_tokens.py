"""The tokens of one answer of the token endpoint, in the open for as long as the answer takes.

Their repr shows nothing; only their hashes are ever stored.
"""

from dataclasses import dataclass, field

from shared.domain.tokens import PlainToken, TokenKind, mint


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTokens:
    """A successful answer of the token endpoint (RFC 6749 section 5.1)."""

    access_token: PlainToken = field(repr=False)
    refresh_token: PlainToken = field(repr=False)
    expires_in: int
    scopes: tuple[str, ...]


def mint_tokens(*, expires_in: int, scopes: tuple[str, ...]) -> IssuedTokens:
    """New tokens for an answer."""
    return IssuedTokens(
        access_token=mint(TokenKind.ACCESS),
        refresh_token=mint(TokenKind.REFRESH),
        expires_in=expires_in,
        scopes=scopes,
    )
