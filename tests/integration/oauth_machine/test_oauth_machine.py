"""Any sequence of steps against the whole server: the promises about access and grants hold."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.integration.oauth.server_parts import kms_of
from tests.integration.oauth_machine.holding_tokens import HoldingTokens
from tests.integration.oauth_machine.signing_in import SigningIn
from tests.integration.oauth_machine.surroundings import Surroundings
from tests.integration.oauth_machine.world import Place, World
from tests.support.clock import DatabaseClock

BOUNDED = settings(RuleBasedStateMachine.TestCase.settings, max_examples=25, stateful_step_count=30)
"""A machine's own settings have no deadline and take no slow example for a fault of its rules."""


class OAuthMachine(SigningIn, HoldingTokens, Surroundings):
    """All rules."""


@pytest.fixture
def world(
    database_url: str,
    database_admin: psycopg.Connection[Any],
    clock: DatabaseClock,
    kms_endpoint: str,
    kms_key_id: str,
) -> Iterator[World]:
    """One place for all examples; each of them empties it first."""
    kms = kms_of(endpoint=kms_endpoint, key_id=kms_key_id)
    place = Place(database_url=database_url, admin=database_admin, clock=clock, kms=kms)
    with asyncio.Runner() as runner:
        world = World(place, runner)
        yield world
        world.stop()
        kms.forget_client()


def machine_over(world: World) -> type[OAuthMachine]:
    """The machine as Hypothesis makes it anew for every example, without arguments."""

    class OverOneWorld(OAuthMachine):
        def __init__(self) -> None:
            super().__init__(world)

    return OverOneWorld


@pytest.mark.timeout(300)  # twenty-five stories, and machines may be busy
def test_no_access_without_a_live_grant_and_no_end_without_its_cause(world: World) -> None:
    run_state_machine_as_test(machine_over(world), settings=BOUNDED)
