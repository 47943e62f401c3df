"""An upstream pair as bytes, for the vault. Never written anywhere unsealed."""

import json
from typing import Any, Final

from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import UpstreamSubject
from shared.vault.envelope import SealedTokenRefusedError

_VERSION: Final = 1


def encode_pair(pair: UpstreamPair) -> bytes:
    """The pair as compact JSON."""
    members = {
        "v": _VERSION,
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "life_seconds": pair.life_seconds,
        "subject": pair.subject,
    }
    return json.dumps(members, separators=(",", ":")).encode("ascii")


def decode_pair(plain: bytes) -> UpstreamPair:
    """The pair that ``encode_pair`` was given.

    Raises:
        SealedTokenRefusedError: another version of this code wrote it, or something else did.
    """
    try:
        members: dict[str, Any] = json.loads(plain)
        if members["v"] != _VERSION:
            raise SealedTokenRefusedError({"reason": "pair_version"})
        return UpstreamPair(
            access_token=members["access_token"],
            refresh_token=members["refresh_token"],
            life_seconds=members["life_seconds"],
            subject=UpstreamSubject(members["subject"]),
        )
    except (ValueError, KeyError, TypeError):
        # Not chained: a decoder's error quotes what it was reading.
        raise SealedTokenRefusedError({"reason": "pair_content"}) from None
