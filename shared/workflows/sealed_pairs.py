"""Between a grant's row and the pair in the open: sealing, opening, and when to refresh.

Never call these while a transaction is open: the vault may need the same one connection.
"""

import secrets
from datetime import UTC, datetime

from shared.domain.grants import Grant, SealedPair, UpstreamPair, refresh_due_at
from shared.domain.identifiers import GrantId, UserId
from shared.vault.pair_codec import decode_pair, encode_pair
from shared.vault.token_vault import SealBinding, TokenVault

_EPOCH = datetime.fromtimestamp(0, UTC)
_random = secrets.SystemRandom()


def pair_binding(*, grant_id: GrantId, user_id: UserId, pair_generation: int) -> SealBinding:
    """What a grant's sealed pair is bound to: ``pair_generation`` is the one it is stored as."""
    return SealBinding(
        table="grants",
        row_id=grant_id,
        user_id=user_id,
        column="pair_ciphertext",
        generation=pair_generation,
    )


async def open_pair(vault: TokenVault, grant: Grant) -> UpstreamPair:
    """The pair of a grant in the open.

    Raises:
        KeyServiceUnavailableError: the key cannot be had at the moment.
        SealedTokenRefusedError: the ciphertext is not this row's.
    """
    binding = pair_binding(
        grant_id=grant.grant_id, user_id=grant.user_id, pair_generation=grant.pair_generation
    )
    return decode_pair(await vault.open(grant.pair, user_salt=grant.user_salt, binding=binding))


async def seal_next_pair(vault: TokenVault, grant: Grant, pair: UpstreamPair) -> SealedPair:
    """``pair`` sealed for storing as the grant's next generation."""
    binding = pair_binding(
        grant_id=grant.grant_id, user_id=grant.user_id, pair_generation=grant.pair_generation + 1
    )
    return await vault.seal(encode_pair(pair), user_salt=grant.user_salt, binding=binding)


def refresh_after_seconds(life_seconds: int) -> float | None:
    """Seconds until the background refresh of a new pair; None for on demand only.

    The jitter keeps grants that began together from being due together.
    """
    due = refresh_due_at(issued_at=_EPOCH, life_seconds=life_seconds, jitter=_random.random())
    return None if due is None else (due - _EPOCH).total_seconds()
