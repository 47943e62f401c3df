"""One execution environment, put together as the functions do it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scripts.benchmarks.refresh.naive import NaiveRefresher, Way
from scripts.benchmarks.refresh.observed_parts import (
    ObservedDatabase,
    ObservedOAuth,
    ObservedVault,
    Observer,
)
from scripts.benchmarks.refresh.site_process import SiteFacts
from shared.domain.identifiers import GrantId
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.upstream.drupal_site import DrupalSite
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import TokenVault
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from shared.workflows.safety_nets import NO_NETS, SafetyNets


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every environment of one world has around it."""

    conninfo: str
    kms_key_id: str
    site: SiteFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts, and both ways to refresh with them."""

    database: Database
    vault: TokenVault
    refresher: GrantRefresher
    naive: NaiveRefresher

    async def refresh(self, way: Way, grant_id: GrantId, pair_generation: int) -> RefreshOutcome:
        """Refresh one grant that way.

        Raises:
            ServiceError: something is away.
        """
        refresher = self.naive if way is Way.NAIVE else self.refresher
        return await refresher.refresh(grant_id, pair_generation)


@asynccontextmanager
async def environment(
    around: Surroundings, observer: Observer, *, nets: SafetyNets = NO_NETS
) -> AsyncIterator[Parts]:
    """The parts of one process."""
    database = ObservedDatabase(around.conninfo, observer)
    vault = ObservedVault(
        observer,
        stage="local",
        kms=KmsDataKeys(around.kms_key_id, connect_timeout_seconds=1, read_timeout_seconds=5),
        keys=StoredDataKeys(database),
        cache_seconds=300,
    )
    oauth = ObservedOAuth(
        DrupalSite(
            base_url=around.site.url,
            client_id=around.site.client_id,
            client_secret=around.site.client_secret,
            scopes=around.site.scopes,
            redirect_uri=around.site.redirect_uri,
        ),
        observer,
    )
    try:
        yield Parts(
            database=database,
            vault=vault,
            refresher=GrantRefresher(database, vault, oauth, nets=nets),
            naive=NaiveRefresher(database, vault, oauth),
        )
    finally:
        await database.close()
