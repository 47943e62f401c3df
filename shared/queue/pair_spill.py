"""Refreshed pairs that Postgres has not taken yet, in DynamoDB: sealed, by grant and generation.

Nothing here opens a pair. The table forgets an item after a week by its time-to-live attribute.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.aws_service import CallLimits, ExpectedRefusalError
from shared.domain.grants import SealedPair
from shared.domain.identifiers import GrantId
from shared.domain.spilled_pairs import SpilledPair, SpillPage
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.queue.watched_service import WatchedService

KEPT_SECONDS: Final = 7 * 86_400
CIPHERTEXT_BYTES_MAX: Final = 100_000
"""Far more than a pair has; an item may have 400 KB."""
EXPIRY_ATTRIBUTE: Final = "expires_at"
"""Seconds since 1970, as the table's time to live wants it."""
LIMITS: Final = CallLimits(
    connect_timeout_seconds=0.5, read_timeout_seconds=1.0, deadline_seconds=2.0
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SUPERSEDED: Final = "ConditionalCheckFailedException"


class SpillUnavailableError(UnavailableError):
    """The second store did not take or give a pair, or holds one that cannot be read."""

    code = ErrorCode.SPILL_UNAVAILABLE


class DynamoDbPairSpill:
    """One table with the keys ``grant_id`` (text) and ``pair_generation`` (number)."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = WatchedService("dynamodb", limits=LIMITS, error=SpillUnavailableError)

    async def put(self, spilled: SpilledPair) -> None:
        """Keep ``spilled``, unless a pair received later is already there.

        Raises:
            SpillUnavailableError: the store is away, or the pair is larger than any pair is.
        """
        size = len(spilled.pair.ciphertext)
        if size > CIPHERTEXT_BYTES_MAX:
            raise SpillUnavailableError({"ciphertext_bytes": size})
        item = _item(spilled)
        try:
            await self._dynamodb.call(
                lambda dynamodb: dynamodb.put_item(
                    TableName=self._table_name,
                    Item=item,
                    ConditionExpression=(
                        "attribute_not_exists(grant_id) OR received_microseconds <= :received"
                    ),
                    ExpressionAttributeValues={":received": item["received_microseconds"]},
                ),
                expected=(_SUPERSEDED,),
            )
        except ExpectedRefusalError:
            log.warning("a later pair is spilled already", grant_id=str(spilled.grant_id))
            return
        metrics.count(MetricName.PAIRS_SPILLED)
        log.warning("refreshed pair spilled", grant_id=str(spilled.grant_id))

    async def get(self, grant_id: GrantId, pair_generation: int) -> SpilledPair | None:
        """The pair that the grant is to get as ``pair_generation``, or None.

        Raises:
            SpillUnavailableError: the store is away, or holds something that is no pair.
        """
        answer: Any = await self._dynamodb.call(
            lambda dynamodb: dynamodb.get_item(
                TableName=self._table_name,
                Key=_key(grant_id, pair_generation),
                ConsistentRead=True,
            )
        )
        item = answer.get("Item")
        return None if item is None else _spilled(grant_id, pair_generation, item)

    async def page(self, *, cursor: object | None, limit: int) -> SpillPage:
        """Up to ``limit`` pairs, whoever they belong to, from ``cursor`` on.

        What is no pair is left out: it must not keep the others from being found.

        Raises:
            SpillUnavailableError: the store is away.
        """
        begun = {} if cursor is None else {"ExclusiveStartKey": cursor}
        answer: Any = await self._dynamodb.call(
            lambda dynamodb: dynamodb.scan(
                TableName=self._table_name, ConsistentRead=True, Limit=limit, **begun
            )
        )
        read = (_read_or_none(item) for item in answer.get("Items", []))
        return SpillPage(
            pairs=tuple(pair for pair in read if pair is not None),
            cursor=answer.get("LastEvaluatedKey"),
        )

    async def forget(self, spilled: SpilledPair) -> None:
        """Take this very pair out; one received later for the same place stays.

        Raises:
            SpillUnavailableError: the store is away.
        """
        item = _item(spilled)
        try:
            await self._dynamodb.call(
                lambda dynamodb: dynamodb.delete_item(
                    TableName=self._table_name,
                    Key=_key_of(spilled),
                    ConditionExpression="received_microseconds = :received",
                    ExpressionAttributeValues={":received": item["received_microseconds"]},
                ),
                expected=(_SUPERSEDED,),
            )
        except ExpectedRefusalError:
            log.info("spilled pair is gone or replaced", grant_id=str(spilled.grant_id))

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._dynamodb.forget_client()


def _key_of(spilled: SpilledPair) -> dict[str, dict[str, Any]]:
    return _key(spilled.grant_id, spilled.pair_generation)


def _read_or_none(item: dict[str, Any]) -> SpilledPair | None:
    try:
        grant_id = GrantId(UUID(item["grant_id"]["S"]))
        return _spilled(grant_id, int(item["pair_generation"]["N"]), item)
    except (SpillUnavailableError, KeyError, TypeError, ValueError) as error:
        log.error("no pair in the second store", error_type=type(error).__name__)
        return None


def _key(grant_id: GrantId, pair_generation: int) -> dict[str, dict[str, Any]]:
    return {"grant_id": {"S": str(grant_id)}, "pair_generation": {"N": str(pair_generation)}}


def _item(spilled: SpilledPair) -> dict[str, dict[str, Any]]:
    microseconds = (spilled.received_at - _EPOCH) // _MICROSECOND
    expires_at = microseconds // 1_000_000 + KEPT_SECONDS
    return {
        **_key(spilled.grant_id, spilled.pair_generation),
        "ciphertext": {"B": spilled.pair.ciphertext},
        "key_generation": {"N": str(spilled.pair.key_generation)},
        "life_seconds": {"N": str(spilled.life_seconds)},
        "received_microseconds": {"N": str(microseconds)},
        EXPIRY_ATTRIBUTE: {"N": str(expires_at)},
    }


def _spilled(grant_id: GrantId, pair_generation: int, item: dict[str, Any]) -> SpilledPair:
    try:
        received_at = _EPOCH + int(item["received_microseconds"]["N"]) * _MICROSECOND
        pair = SealedPair(
            ciphertext=bytes(item["ciphertext"]["B"]),
            key_generation=int(item["key_generation"]["N"]),
        )
        life_seconds = int(item["life_seconds"]["N"])
    except (KeyError, TypeError, ValueError) as error:
        raise SpillUnavailableError({"error_type": type(error).__name__}) from None
    return SpilledPair(
        grant_id=grant_id,
        pair_generation=pair_generation,
        pair=pair,
        life_seconds=life_seconds,
        received_at=received_at,
    )
