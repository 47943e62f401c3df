"""What an operator contains ends in batches, is audited in the same step, and Drupal is told."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from functions.cleanup.housekeeping import Housekeeping
from scripts import containments as command
from shared.domain.containments import (
    Everybody,
    OneClient,
    OnePerson,
    Order,
    Target,
    UnusableOrderError,
)
from shared.domain.identifiers import new_id
from shared.domain.sessions import RESPONSIBLE, EndCause, Responsible
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import containments
from shared.state.database import Database
from shared.state.roles import AppRole
from shared.workflows import contain
from tests.support.upstream_world import CLIENT_ID, UpstreamWorld

FAR: Final = datetime(2100, 1, 1, tzinfo=UTC)
NAMED: Final = ["--do", "--operator", "ana", "--reason", "INC-7"]

Admin = psycopg.Connection[Any]


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[Database]:
    """The database with the rights of the operator's command and no more."""
    database = Database(make_conninfo(database_url, user=AppRole.CONTAINMENT.value))
    yield database
    await database.close()


@pytest.fixture
def command_line(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_conninfo(database_url, user=AppRole.CONTAINMENT.value)
    monkeypatch.setenv("DATABASE_URL", url)


def order() -> Order:
    return Order(containment_id=new_id(), operator="ana", reason="stolen laptop")


async def ended_by(own: Database, target: Target) -> list[int]:
    return [batch async for batch in contain.contain(own, target, order(), until=FAR)]


async def test_one_person_ends_and_nobody_else_and_drupal_is_told(
    world: UpstreamWorld, own: Database
) -> None:
    maya, again, felix = [await world.sign_in(name) for name in ("maya", "maya", "felix")]

    ended = await ended_by(own, OnePerson(maya.user_id))

    assert ended == [2]
    for one in (maya, again):
        assert (await world.row(one))["ended_cause"] == EndCause.CONTAINED.value
    assert (await world.row(felix))["status"] == "active"
    worker = world.worker(AppRole.CLEANUP)
    done = await Housekeeping(
        worker.database, worker.drainer, worker.discarded, batch_max=10, seconds_left=lambda: 100.0
    ).run()
    assert done["burnt"] == 2
    assert world.drupal.control.live_tokens("maya")[0] == 0
    assert world.drupal.control.live_tokens("felix") == (1, 1)


async def test_it_goes_on_where_it_was_interrupted(
    world: UpstreamWorld, own: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contain, "BATCH_GRANTS", 2)
    for name in ("maya", "felix", "maya", "felix", "maya"):
        await world.sign_in(name)
    under_way = contain.contain(own, Everybody(), order(), until=FAR)
    first = await anext(under_way)
    await under_way.aclose()

    others = await ended_by(own, Everybody())

    assert (first, others) == (2, [2, 1])
    assert set(asdict(await contain.look(own, Everybody(), until=FAR)).values()) == {0}
    events = [details for action, details in await world.audit() if action == "sessions:contained"]
    assert [one["grants"] for one in events] == [2, 2, 1]
    assert {(one["operator"], one["reason"]) for one in events} == {("ana", "stolen laptop")}
    ends = [details for action, details in await world.audit() if action == "grant:ended"]
    assert [one["containment"] for one in ends] == [
        one["containment"] for one in events for _ in range(one["grants"])
    ]


async def test_a_batch_that_fails_leaves_neither_an_end_nor_an_event(
    world: UpstreamWorld, own: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    maya = await world.sign_in()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the audit trail refuses")

    monkeypatch.setattr(contain, "_audit_batch", broken)
    with pytest.raises(RuntimeError):
        await ended_by(own, OneClient(CLIENT_ID))

    assert (await world.row(maya))["status"] == "active"
    assert "grant:ended" not in [action for action, _ in await world.audit()]


async def test_who_signs_in_after_the_moment_stays(world: UpstreamWorld, own: Database) -> None:
    before = await world.sign_in("maya")
    async with own.autocommit() as tx:
        moment = await containments.now(tx)
    after = await world.sign_in("felix")

    async for _ in contain.contain(own, Everybody(), order(), until=moment):
        pass

    assert (await world.row(before))["status"] == "ended"
    assert (await world.row(after))["status"] == "active"


async def test_a_containment_is_counted_by_its_own_cause_and_as_no_fault(
    world: UpstreamWorld, own: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[MetricName, str]] = []

    def count(name: MetricName, value: float = 1, **dimensions: str) -> None:
        counted.append((name, dimensions.get("cause", "")))

    monkeypatch.setattr(metrics, "count", count)
    maya = await world.sign_in()
    await world.call_of(maya)

    await ended_by(own, OneClient(CLIENT_ID))

    assert (MetricName.GRANTS_ENDED, "contained") in counted
    assert MetricName.INVOLUNTARY_SIGN_OUTS not in [name for name, _ in counted]
    assert RESPONSIBLE[EndCause.CONTAINED] is Responsible.OPERATOR


@pytest.mark.parametrize(
    ("operator", "reason"),
    [("", "why"), ("ana", ""), ("ana", "  "), ("ana", "two\nlines"), ("a" * 65, "why")],
)
def test_an_order_names_who_and_why_in_one_line(operator: str, reason: str) -> None:
    with pytest.raises(UnusableOrderError):
        Order(containment_id=new_id(), operator=operator, reason=reason)


async def test_the_command_is_dry_unless_told_to_do_it(
    world: UpstreamWorld, database_url: str, capsys: pytest.CaptureFixture[str], command_line: None
) -> None:
    maya = await world.sign_in()
    subject = str((await world.grant(maya)).subject)
    whom = ["person", "--subject", subject, "--site", world.site.base_url]

    statuses = [
        await _command(whom),
        await _command([*whom, "--do"]),
        await _command([*whom, *NAMED]),
    ]

    said = capsys.readouterr()
    assert statuses == [0, 2, 0]
    assert "grants in force            1" in said.out
    assert "Nothing was changed" in said.out
    assert "operator: one line" in said.err
    assert (await world.row(maya))["ended_cause"] == "contained"


async def test_the_command_blocks_and_unblocks_a_client(
    world: UpstreamWorld, database_admin: Admin, command_line: None
) -> None:
    await world.sign_in()
    statuses = [
        await _command(["client", CLIENT_ID, "--block", *NAMED]),
        await _command(["client", CLIENT_ID, "--block", *NAMED]),
        await _command(["unblock", CLIENT_ID]),
        await _command(["unblock", CLIENT_ID, *NAMED]),
        await _command(["client", "nobody"]),
    ]

    assert statuses == [0, 0, 0, 0, 2]
    actions = [action for action, _ in await world.audit()]
    assert (actions.count("client:blocked"), actions.count("client:unblocked")) == (1, 1)
    row = database_admin.execute("SELECT blocked_at FROM app.clients").fetchone()
    assert row == (None,)


async def _command(arguments: list[str]) -> int:
    given = command.parsed(arguments)
    return given if isinstance(given, int) else await command.run(given)
