"""A refreshed pair outlives a Postgres that is away: it is put, found and opened again."""

from datetime import UTC, datetime

import pytest

from shared.domain.spilled_pairs import SpilledPair
from shared.queue.pair_spill import DynamoDbPairSpill
from shared.state.database import DatabaseUnavailableError
from shared.vault.pair_codec import decode_pair
from shared.workflows.sealed_pairs import pair_binding, seal_next_pair
from tests.support.queues import Queues
from tests.support.unreliable_database import UnreliableDatabase
from tests.support.upstream_world import running_world


async def test_a_spilled_pair_is_kept_while_postgres_is_away(
    database_url: str, kms_key_id: str, queues: Queues
) -> None:
    async with running_world(database_url, kms_key_id) as world:
        signed_in = await world.sign_in()
        grant = await world.grant(signed_in)
        refreshed = world.issue("maya")
        await world.own.vault.prepare()
        database = UnreliableDatabase("host=127.0.0.1 port=9 dbname=none user=none")
        with pytest.raises(DatabaseUnavailableError):
            async with database.autocommit():
                pass
        put = SpilledPair(
            grant_id=grant.grant_id,
            pair_generation=grant.pair_generation + 1,
            pair=await seal_next_pair(world.own.vault, grant, refreshed),
            life_seconds=refreshed.life_seconds,
            received_at=datetime.now(UTC),
        )
        writer, reader = (DynamoDbPairSpill(queues.spill_table) for _ in range(2))
        await writer.put(put)
        found = await reader.get(grant.grant_id, put.pair_generation)
        writer.forget_client()
        reader.forget_client()
        await database.close()

        assert found == put
        opened = await world.worker().vault.open(
            found.pair,
            user_salt=grant.user_salt,
            binding=pair_binding(
                grant_id=grant.grant_id, user_id=grant.user_id, pair_generation=put.pair_generation
            ),
        )
        assert decode_pair(opened).access_token == refreshed.access_token
        raw = str(queues.dynamodb.scan(TableName=queues.spill_table)["Items"])
        assert refreshed.access_token not in raw
