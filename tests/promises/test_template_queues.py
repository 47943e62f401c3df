"""Queues, second store and the times between them, as the template deploys them."""

from typing import Any

import pytest

from functions.token_refresh import refresh_tick, time_to_begin
from scripts.local_stack import functions as local_functions
from scripts.local_stack import queues as local_queues
from shared.domain.refresh_times import (
    DOUBT_SECONDS_MAX,
    REFRESH_DEADLINE_SECONDS,
    REFRESH_LEASE_SECONDS,
    REFRESH_WATCHDOG_SECONDS,
    SITE_REPLAY_SECONDS,
)
from shared.queue import pair_spill
from shared.queue.refresh_queue import BATCH_MAX
from shared.settings import TokenRefreshFunctionSettings
from tests.promises.deployed import function, listed, resources, statements, template

QUEUES = ("RefreshQueue", "WatchdogQueue")
DELAY_SECONDS_MAX = 900
"""The longest that SQS delays one message."""


def queue(name: str) -> dict[str, Any]:
    return resources("AWS::SQS::Queue")[name]


def mapping(name: str) -> dict[str, Any]:
    return resources("AWS::Lambda::EventSourceMapping")[f"{name}ToFunction"]


def test_deadline_lease_watchdog_and_visibility_follow_each_other() -> None:
    timeout = function("token_refresh")["Timeout"]
    in_order = [
        REFRESH_DEADLINE_SECONDS,
        REFRESH_LEASE_SECONDS,
        REFRESH_WATCHDOG_SECONDS,
        timeout,
        queue("WatchdogQueue")["VisibilityTimeout"],
        DOUBT_SECONDS_MAX,
        queue("RefreshQueue")["VisibilityTimeout"],
    ]

    assert in_order == sorted(set(in_order))
    assert REFRESH_WATCHDOG_SECONDS + REFRESH_DEADLINE_SECONDS < SITE_REPLAY_SECONDS
    assert REFRESH_WATCHDOG_SECONDS <= DELAY_SECONDS_MAX


def test_a_message_comes_back_only_after_the_invocation_that_had_it() -> None:
    timeout = function("token_refresh")["Timeout"]

    assert queue("WatchdogQueue")["VisibilityTimeout"] > timeout
    # What AWS asks for, so that throttled batches do not use up their receives.
    assert queue("RefreshQueue")["VisibilityTimeout"] >= 6 * timeout


def test_a_grant_is_not_due_again_while_its_message_may_come_back() -> None:
    assert queue("RefreshQueue")["VisibilityTimeout"] <= refresh_tick.PUSH_SECONDS


def test_a_whole_batch_can_be_refreshed_in_one_invocation() -> None:
    at_once = TokenRefreshFunctionSettings.model_fields["refresh_concurrency_max"].default
    rounds = -(-mapping("RefreshQueue")["BatchSize"] // at_once)
    latest_begin = function("token_refresh")["Timeout"] - time_to_begin.BEGIN_SECONDS_MIN

    assert (rounds - 1) * time_to_begin.BEGIN_SECONDS_MIN < latest_begin


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_hands_its_batches_to_the_alias_and_takes_back_single_messages(name: str) -> None:
    assert mapping(name) == {
        "EventSourceArn": {"Fn::GetAtt": [name, "Arn"]},
        "FunctionName": {"Ref": "TokenRefreshFunctionAliaslive"},
        "BatchSize": BATCH_MAX,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": {"Ref": "RefreshConcurrencyMax"}},
    }


def test_only_these_queues_are_read_and_what_reads_them_can_be_throttled() -> None:
    parameter = template()["Parameters"]["RefreshConcurrencyMax"]

    assert set(resources("AWS::Lambda::EventSourceMapping")) == {f"{q}ToFunction" for q in QUEUES}
    # The platform's own limits of the setting.
    assert (parameter["MinValue"], parameter["MaxValue"]) == (2, 1000)


@pytest.mark.parametrize("name", QUEUES)
def test_what_fails_every_time_is_kept_apart_for_two_weeks(name: str) -> None:
    redrive = queue(name)["RedrivePolicy"]

    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    assert 3 <= redrive["maxReceiveCount"] <= 10
    assert queue("DeadLetterQueue")["MessageRetentionPeriod"] == 14 * 86_400
    lasting = redrive["maxReceiveCount"] * queue(name)["VisibilityTimeout"]
    assert lasting < queue(name)["MessageRetentionPeriod"]


def test_queues_are_encrypted_and_refuse_plain_text() -> None:
    queues = resources("AWS::SQS::Queue")
    (policy,) = resources("AWS::SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert {one["KmsMasterKeyId"] for one in queues.values()} == {"alias/aws/sqs"}
    assert policy["Queues"] == [{"Ref": name} for name in (*QUEUES, "DeadLetterQueue")]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_second_store_has_the_keys_of_its_adapter_and_forgets() -> None:
    (table,) = resources("AWS::DynamoDB::Table").values()
    item_keys = {"grant_id": "S", "pair_generation": "N"}

    assert {one["AttributeName"] for one in table["KeySchema"]} == set(item_keys)
    assert {
        one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]
    } == item_keys
    ttl = table["TimeToLiveSpecification"]
    assert ttl == {"AttributeName": pair_spill.EXPIRY_ATTRIBUTE, "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_only_the_refresher_sends_due_grants_and_takes_messages() -> None:
    def reached(name: str, action: str) -> set[str]:
        return {
            resource["Fn::GetAtt"][0]
            for statement in statements(name)
            if action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }

    assert reached("mcp_endpoint", "sqs:SendMessage") == {"WatchdogQueue"}
    assert reached("token_refresh", "sqs:SendMessage") == set(QUEUES)
    assert reached("token_refresh", "sqs:ReceiveMessage") == set(QUEUES)
    assert reached("oauth", "sqs:SendMessage") == reached("cleanup", "sqs:SendMessage") == set()


def test_the_local_stack_has_the_same_queues_and_table() -> None:
    (table,) = resources("AWS::DynamoDB::Table").values()

    assert list(local_queues.KEY_SCHEMA) == table["KeySchema"]
    assert list(local_queues.ATTRIBUTES) == table["AttributeDefinitions"]
    visibilities = [queue(name)["VisibilityTimeout"] for name in QUEUES]
    assert visibilities == [
        local_queues.REFRESH_VISIBILITY_SECONDS,
        local_queues.WATCHDOG_VISIBILITY_SECONDS,
    ]
    for name in QUEUES:
        assert queue(name)["RedrivePolicy"]["maxReceiveCount"] == local_queues.RECEIVES_MAX
        assert mapping(name)["BatchSize"] == local_queues.BATCH_MAX
    default = template()["Parameters"]["RefreshConcurrencyMax"]["Default"]
    assert default == local_queues.BATCHES_AT_ONCE_MAX
    assert function("token_refresh")["Timeout"] == local_functions.REFRESHER_SECONDS_MAX
