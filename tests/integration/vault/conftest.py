"""Vaults as execution environments have them: each its own cache, over one KMS key and database."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import TokenVault
from tests.integration.vault.scripted_kms import Faults, data_keys_of, scripted

CACHE_SECONDS = 300


@dataclass
class Instance:
    """One execution environment with a clock of its own."""

    vault: TokenVault
    kms: KmsDataKeys
    database: Database
    faults: Faults
    now: list[float] = field(default_factory=lambda: [1_000.0])

    def wait(self, seconds: float) -> None:
        """Let its clock go on."""
        self.now[0] += seconds


NewInstance = Callable[..., Instance]


@pytest.fixture
async def new_instance(
    database_url: str, kms_endpoint: str, kms_key_id: str
) -> AsyncIterator[NewInstance]:
    async with AsyncExitStack() as stack:

        def start(stage: str = "local") -> Instance:
            database = Database(database_url)
            stack.push_async_callback(database.close)
            kms = data_keys_of(kms_key_id, kms_endpoint)
            # Not forgotten: reading the service's description anew takes longer than a test.
            stack.callback(lambda: kms._client().close())
            now = [1_000.0]
            vault = TokenVault(
                stage=stage,
                kms=kms,
                keys=StoredDataKeys(database),
                cache_seconds=CACHE_SECONDS,
                clock=lambda: now[0],
            )
            return Instance(vault, kms, database, scripted(kms), now)

        yield start


@pytest.fixture
def instance(new_instance: NewInstance) -> Instance:
    return new_instance()
