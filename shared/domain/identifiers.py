"""Names for the identifiers that travel through the house, so that none is taken for another."""

import secrets
import time
from typing import Final, NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
GrantId = NewType("GrantId", UUID)
SessionId = NewType("SessionId", UUID)
SignInId = NewType("SignInId", UUID)
CallId = NewType("CallId", UUID)
ClientId = NewType("ClientId", str)
UpstreamSubject = NewType("UpstreamSubject", str)
"""The person's id at the Drupal site (the ``sub`` of its tokens), as text."""

NO_GRANT: Final = GrantId(UUID(int=0))
"""The id of no grant, for statements that run whether there is one or not."""


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562 section 5.7): unique, and near-sorted so that indexes stay compact.

    The time in it orders rows; nothing reads it back as a time.
    """
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds << 80) | secrets.randbits(80)
    number = (number & ~(0xF << 76)) | (0x7 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=number)
