"""The way that most servers refresh, for comparison: read, ask the site, write.

Nobody is told that it is at it, nothing is written down before, and a refusal is believed.
"""

from enum import StrEnum
from typing import LiteralString

from shared.domain.grants import GrantStatus
from shared.domain.identifiers import GrantId
from shared.domain.sessions import EndCause
from shared.state import grants
from shared.state.database import Database
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.failures import RefreshRejectedError
from shared.vault.token_vault import TokenVault
from shared.workflows.refresh_grant import RefreshOutcome
from shared.workflows.sealed_pairs import open_pair, seal_next_pair

_TIMEOUT_SECONDS = 8.0
_WRITE: LiteralString = """
    UPDATE app.grants
       SET pair_ciphertext = %(ciphertext)s, key_generation = %(key_generation)s,
           pair_generation = %(pair_generation)s,
           access_expires_at = app.now() + make_interval(secs => %(life_seconds)s)
     WHERE grant_id = %(grant_id)s AND status <> 'ended'
"""


class Way(StrEnum):
    """How a crowd is looked after."""

    OURS = "ours"
    NAIVE = "naive"


class NaiveRefresher:
    """Refreshes as if nothing could come in between."""

    def __init__(self, database: Database, vault: TokenVault, oauth: DrupalOAuth) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth

    async def refresh(self, grant_id: GrantId, pair_generation: int) -> RefreshOutcome:
        """Replace the pair by the site's answer.

        Raises:
            ServiceError: the database, the key service or the site is away.
        """
        async with self._database.autocommit() as tx:
            grant = await grants.find(tx, grant_id)
        if grant is None or grant.status is GrantStatus.ENDED:
            return RefreshOutcome.REJECTED
        if grant.pair_generation != pair_generation:
            return RefreshOutcome.NOT_DUE
        pair = await open_pair(self._vault, grant)
        try:
            new = await self._oauth.refresh(
                pair.refresh_token or "", timeout_seconds=_TIMEOUT_SECONDS
            )
        except RefreshRejectedError:
            async with self._database.transaction() as tx:
                await grants.end(tx, grant_id=grant_id, cause=EndCause.REJECTED_UPSTREAM)
            return RefreshOutcome.REJECTED
        sealed = await seal_next_pair(self._vault, grant, new)
        async with self._database.transaction() as tx:
            await tx.execute(
                _WRITE,
                {
                    "grant_id": grant_id,
                    "ciphertext": sealed.ciphertext,
                    "key_generation": sealed.key_generation,
                    "pair_generation": grant.pair_generation + 1,
                    "life_seconds": new.life_seconds,
                },
            )
        return RefreshOutcome.REFRESHED
