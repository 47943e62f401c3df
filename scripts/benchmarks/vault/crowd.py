"""Many people with sealed pairs, and environments that open them as calls do."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from shared.domain.clients import Client, RegistrationKind
from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import ClientId, GrantId, UpstreamSubject, UserId, new_id
from shared.state import clients, grants, users
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.vault.kms_data_keys import GeneratedDataKey, KmsDataKeys
from shared.vault.pair_codec import encode_pair
from shared.vault.token_vault import TokenVault
from shared.workflows.sealed_pairs import open_pair, pair_binding

CACHE_SECONDS: Final = 300
STAGE: Final = "local"
_SITE: Final = "https://site.example"
_CLIENT: Final = Client(
    client_id=ClientId("measured"),
    kind=RegistrationKind.DYNAMIC,
    client_name="Measured",
    redirect_uris=("http://127.0.0.1/callback",),
)
# Drupal's access tokens are JWTs of about this length, its refresh tokens are opaque ones of that.
_ACCESS_CHARACTERS: Final = 1_100
_REFRESH_CHARACTERS: Final = 700
_BATCH: Final = 500


class CountedKms:
    """KMS, and how often it was asked."""

    def __init__(self, kms: KmsDataKeys) -> None:
        self._kms = kms
        self.asked = 0

    async def generate(self, context: Mapping[str, str]) -> GeneratedDataKey:
        """Make a new data key."""
        self.asked += 1
        return await self._kms.generate(context)

    async def open(
        self, wrapped_key: bytes, *, kms_key_id: str, context: Mapping[str, str]
    ) -> bytes:
        """Unwrap a data key."""
        self.asked += 1
        return await self._kms.open(wrapped_key, kms_key_id=kms_key_id, context=context)

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._kms.forget_client()


@dataclass(kw_only=True)
class Environment:
    """One execution environment with its own keys, and a clock that can be moved."""

    vault: TokenVault
    kms: CountedKms
    database: Database
    moved_seconds: list[float] = field(default_factory=lambda: [0.0])

    async def call(self, grant_id: GrantId) -> str:
        """What a tool call needs of the vault: the access token of the grant.

        Raises:
            ServiceError: the call would have failed.
        """
        async with self.database.autocommit() as tx:
            grant = await grants.find(tx, grant_id)
        if grant is None:
            raise LookupError("a grant has gone")
        return (await open_pair(self.vault, grant)).access_token


def kms_of(key_id: str) -> KmsDataKeys:
    """The adapter to one KMS key."""
    return KmsDataKeys(key_id, connect_timeout_seconds=1, read_timeout_seconds=5)


def environment(stack: AsyncExitStack, database: Database, kms: KmsDataKeys) -> Environment:
    """One that has just started; the connection may be shared, the keys are its own."""
    moved = [0.0]
    counted = CountedKms(kms)
    vault = TokenVault(
        stage=STAGE,
        kms=counted,
        keys=StoredDataKeys(database),
        cache_seconds=CACHE_SECONDS,
        clock=_clock(moved),
    )
    stack.callback(vault.forget_keys)
    return Environment(vault=vault, kms=counted, database=database, moved_seconds=moved)


def _clock(moved: list[float]) -> Callable[[], float]:
    return lambda: time.time() + moved[0]


def pair_of(number: int) -> UpstreamPair:
    """A pair of the size of Drupal's."""
    return UpstreamPair(
        access_token=f"{number:08d}" + "a" * _ACCESS_CHARACTERS,
        refresh_token="r" * _REFRESH_CHARACTERS,
        life_seconds=3_600,
        subject=UpstreamSubject(str(number)),
    )


async def settle(first: Environment, *, people: int, grants_each: int) -> Sequence[GrantId]:
    """Store what as many finished sign-ins store, person by person."""
    async with first.database.transaction() as tx:
        await clients.add(tx, _CLIENT, unused_seconds=86_400)
    await first.vault.prepare()
    stored: list[GrantId] = []
    for start in range(0, people, _BATCH):
        async with first.database.transaction() as tx:
            for number in range(start, min(start + _BATCH, people)):
                user_id, salt = await users.ensure(
                    tx,
                    user_id=UserId(new_id()),
                    site=_SITE,
                    subject=UpstreamSubject(str(number)),
                    salt=secrets.token_bytes(32),
                )
                for _ in range(grants_each):
                    grant_id = GrantId(new_id())
                    # The data key was opened above, so this needs no second connection.
                    sealed = await first.vault.seal(
                        encode_pair(pair_of(number)),
                        user_salt=salt,
                        binding=pair_binding(grant_id=grant_id, user_id=user_id, pair_generation=1),
                    )
                    await grants.create(
                        tx,
                        grant_id=grant_id,
                        user_id=user_id,
                        client_id=_CLIENT.client_id,
                        pair=sealed,
                        life_seconds=3_600,
                        refresh_after_seconds=None,
                    )
                    stored.append(grant_id)
    return stored
