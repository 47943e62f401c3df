"""Randomness of a restored environment: not that of the snapshot, which many wake up from.

What we draw ourselves comes from the operating system each time. Libraries also use Python's own
generator (pauses between tries, sampling) and OpenSSL's (TLS), whose states were in the snapshot.
"""

import os
import random
import ssl
from typing import Final

import snapshot_restore_py  # type: ignore[import-untyped] # ships no types

SEED_BYTES: Final = 48


@snapshot_restore_py.register_after_restore  # type: ignore[untyped-decorator] # as above
def draw() -> None:
    """Begin both anew from the operating system, which the platform has seeded."""
    random.seed(os.urandom(SEED_BYTES))
    ssl.RAND_add(os.urandom(SEED_BYTES), SEED_BYTES)
