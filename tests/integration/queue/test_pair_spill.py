"""The second store: what is put is found, the latest wins, and a failure has a name."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.aws_service import AwsService, CallLimits
from shared.domain.grants import SealedPair
from shared.domain.identifiers import GrantId, new_id
from shared.domain.spilled_pairs import SpilledPair
from shared.queue import pair_spill
from shared.queue.pair_spill import DynamoDbPairSpill, SpillUnavailableError
from tests.integration.queue.conftest import Answers
from tests.support.queues import Queues

RECEIVED_AT = datetime(2026, 11, 25, 10, 0, 0, 123_457, tzinfo=UTC)


def spilled(**changed: object) -> SpilledPair:
    pair = SpilledPair(
        grant_id=GrantId(new_id()),
        pair_generation=2,
        pair=SealedPair(ciphertext=bytes(range(256)) * 20, key_generation=3),
        life_seconds=3_600,
        received_at=RECEIVED_AT,
    )
    return replace(pair, **changed)  # type: ignore[arg-type] # the names are the fields'


@pytest.fixture
def spill(queues: Queues) -> Iterator[DynamoDbPairSpill]:
    made = DynamoDbPairSpill(queues.spill_table)
    yield made
    made.forget_client()


async def test_a_pair_that_was_put_is_found_unchanged(spill: DynamoDbPairSpill) -> None:
    put = spilled()
    await spill.put(put)

    assert await spill.get(put.grant_id, 2) == put
    assert await spill.get(put.grant_id, 3) is None
    assert await spill.get(GrantId(new_id()), 2) is None


async def test_the_pair_received_last_stays_in_whatever_order_they_come(
    spill: DynamoDbPairSpill,
) -> None:
    late = spilled(received_at=RECEIVED_AT + timedelta(microseconds=1))
    early = replace(late, received_at=RECEIVED_AT, life_seconds=60)

    for first, second in ((early, late), (late, early)):
        await spill.put(first)
        await spill.put(second)
        assert await spill.get(late.grant_id, 2) == late


async def test_an_item_is_forgotten_by_the_table_after_a_week(
    spill: DynamoDbPairSpill, queues: Queues
) -> None:
    put = spilled()
    await spill.put(put)
    item = queues.dynamodb.scan(TableName=queues.spill_table)["Items"][0]

    week = RECEIVED_AT.replace(microsecond=0) + timedelta(days=7)
    assert int(item[pair_spill.EXPIRY_ATTRIBUTE]["N"]) == week.timestamp()


async def test_what_is_larger_than_any_pair_is_refused(spill: DynamoDbPairSpill) -> None:
    large = SealedPair(ciphertext=bytes(pair_spill.CIPHERTEXT_BYTES_MAX + 1), key_generation=1)

    with pytest.raises(SpillUnavailableError):
        await spill.put(spilled(pair=large))


async def test_an_item_that_is_no_pair_is_an_error_and_not_an_absence(
    spill: DynamoDbPairSpill, queues: Queues
) -> None:
    grant_id = GrantId(new_id())
    key = {"grant_id": {"S": str(grant_id)}, "pair_generation": {"N": "2"}}
    queues.dynamodb.put_item(TableName=queues.spill_table, Item=key)

    with pytest.raises(SpillUnavailableError):
        await spill.get(grant_id, 2)


async def test_a_store_that_is_away_is_an_error_after_two_tries(spill: DynamoDbPairSpill) -> None:
    answers = Answers(spill._dynamodb, "dynamodb")
    answers.given = [(500, {"__type": "InternalServerError"})] * 4

    with pytest.raises(SpillUnavailableError):
        await spill.put(spilled())
    with pytest.raises(SpillUnavailableError):
        await spill.get(GrantId(new_id()), 1)
    assert answers.asked == 4


async def test_a_store_that_hangs_is_given_up_at_the_deadline(
    kms_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        limits = CallLimits(
            connect_timeout_seconds=0.2, read_timeout_seconds=0.2, deadline_seconds=0.05
        )
        service = AwsService("dynamodb", limits=limits, error=SpillUnavailableError)
        with pytest.raises(SpillUnavailableError) as caught:
            await service.call(lambda dynamodb: dynamodb.list_tables())
        service.forget_client()

    assert caught.value.facts["error_type"] == "deadline"


async def test_a_caller_that_gives_up_is_not_held_by_a_call_under_way(
    kms_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        limits = CallLimits(
            connect_timeout_seconds=0.2, read_timeout_seconds=0.2, deadline_seconds=60
        )
        service = AwsService("dynamodb", limits=limits, error=SpillUnavailableError)
        call = asyncio.create_task(service.call(lambda dynamodb: dynamodb.list_tables()))
        connection, _ = await asyncio.to_thread(silent.accept)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        connection.close()
        service.forget_client()
