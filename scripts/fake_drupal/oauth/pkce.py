"""Proof Key for Code Exchange, as Drupal checks it (RFC 7636).

Never stricter than Drupal: ``plain`` passes, and confidential clients may leave it out.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping

from scripts.fake_drupal.dialects.model import Failure
from scripts.fake_drupal.oauth.errors import OAuthRefusedError
from scripts.fake_drupal.records import CodeRow, OAuthClient

VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
METHODS = ("S256", "plain")


def requested_challenge(client: OAuthClient, query: Mapping[str, str]) -> tuple[str | None, str]:
    """Challenge and method of an authorization request.

    Raises:
        OAuthRefusedError: missing for a public client, malformed, or of an unknown method.
    """
    challenge = query.get("code_challenge")
    method = query.get("code_challenge_method", "plain")
    if challenge is None:
        if not client.confidential:
            raise OAuthRefusedError(Failure.CHALLENGE_MISSING)
        return None, method
    if method not in METHODS:
        raise OAuthRefusedError(Failure.CHALLENGE_METHOD_UNKNOWN)
    if not VERIFIER.fullmatch(challenge):
        raise OAuthRefusedError(Failure.CHALLENGE_MALFORMED)
    return challenge, method


def check_verifier(code: CodeRow, verifier: str | None) -> None:
    """Compare the verifier with the code's challenge.

    Raises:
        OAuthRefusedError: missing, malformed, wrong, or sent without a challenge.
    """
    if code.code_challenge is None:
        if verifier is not None:
            raise OAuthRefusedError(Failure.VERIFIER_UNEXPECTED)
        return
    if not verifier:
        raise OAuthRefusedError(Failure.VERIFIER_MISSING)
    if not VERIFIER.fullmatch(verifier):
        raise OAuthRefusedError(Failure.VERIFIER_MALFORMED)
    derived = verifier
    if code.code_challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        derived = urlsafe_b64encode(digest).rstrip(b"=").decode()
    if derived != code.code_challenge:
        raise OAuthRefusedError(Failure.VERIFIER_WRONG)
