"""PKCE with S256 (RFC 7636 sections 4.1 to 4.6); no other method is accepted here."""

import base64
import hashlib
import re
import secrets

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_challenge(text: str) -> bool:
    """Whether ``text`` can be a S256 challenge: 43 characters of base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def verifies(verifier: str, challenge: str) -> bool:
    """Whether ``verifier`` is well formed and belongs to ``challenge``."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    return secrets.compare_digest(challenge_of(verifier), challenge)
