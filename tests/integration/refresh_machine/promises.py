"""What must hold at any moment of a story, and what must have come of it at its end."""

from shared.domain.refresh_times import DOUBT_SECONDS_MAX, REFRESH_LEASE_SECONDS
from shared.domain.sessions import REVIVABLE_CAUSES
from shared.workflows.refresh_grant import RefreshOutcome
from shared.workflows.sealed_pairs import open_pair
from shared.workflows.settle_spilled_pairs import SpilledPairs
from tests.integration.refresh_machine.parts import SLACK_SECONDS, Asked
from tests.integration.refresh_machine.town import Town

TRIES_MAX = 5
FINAL = (RefreshOutcome.REFRESHED, RefreshOutcome.REJECTED)


async def check_moment(town: Town) -> None:
    """Between any two steps of anybody."""
    for who in range(len(town.people)):
        await _check_grant(town, who)


async def _check_grant(town: Town, who: int) -> None:
    grant, row = await town.grant(who), await town.world.row(town.people[who])
    pair = await open_pair(town.world.own.vault, grant)
    if row["status"] == "ended":
        if row["ended_cause"] in REVIVABLE_CAUSES:
            assert not town.honours(pair.refresh_token), "ended although the site honours its pair"
            assert not _still_asking(town, pair.refresh_token), "ended before the doubt was over"
        return
    if not town.honours(pair.refresh_token, replays=False):
        doubts = town.admin.execute(
            "SELECT 1 FROM app.refresh_attempts WHERE grant_id = %s AND pair_generation = %s"
            " AND (outcome IS NULL OR outcome = 'reply_lost')",
            [grant.grant_id, grant.pair_generation],
        ).fetchall()
        assert doubts, "a rotation of which nothing was written down before"


def _still_asking(town: Town, refresh_token: str | None) -> bool:
    """Whether somebody lives who may have the answer to that token, and has asked not long ago."""
    return any(
        one.refresh_token == refresh_token
        and one.failure is None
        and not one.worker.dead
        and town.now() < one.claimed_at + DOUBT_SECONDS_MAX - SLACK_SECONDS
        for one in town.asks
    )


async def settle(town: Town) -> None:
    """Let everybody come to an end, and whoever is due be refreshed until that is decided."""
    await town.let_requests_go()
    await _finish_everybody(town)
    for who in range(len(town.people)):
        await _decide(town, who)
    own = town.world.own
    await SpilledPairs(own.database, own.vault, town.spill, seconds_left=lambda: 100.0).run()


async def _finish_everybody(town: Town) -> None:
    for worker in town.workers:
        worker.database.trouble = None
    for _ in range(TRIES_MAX):
        for worker in town.running():
            await town.go_on(worker)
            await check_moment(town)
    assert not town.running(), "a process waits for ever"


async def _decide(town: Town, who: int) -> None:
    for seconds in (0, REFRESH_LEASE_SECONDS + 1, *(DOUBT_SECONDS_MAX + 1,) * TRIES_MAX):
        if (await town.world.row(town.people[who]))["status"] == "ended":
            return
        town.pass_time(seconds)
        worker = await town.begin(who)
        await town.go_on(worker)
        await check_moment(town)
        if worker.process.outcome() in FINAL:
            return
    raise AssertionError("a grant is never decided upon")


async def check_outcome(town: Town) -> None:
    """At the end, when everything is settled."""
    for who in range(len(town.people)):
        await _check_end(town, who)
    _check_rest(town)


async def _check_end(town: Town, who: int) -> None:
    row = await town.world.row(town.people[who])
    grant = await town.grant(who)
    pair = await open_pair(town.world.own.vault, grant)
    if row["status"] != "ended":
        assert town.honours(pair.refresh_token, replays=False), "alive with a dead pair"
        return
    _check_audit(town, who, row["ended_cause"])
    if row["ended_cause"] not in REVIVABLE_CAUSES:
        return
    last = [one for one in town.asks if one.refresh_token == pair.refresh_token]
    assert any(one.lost for one in last), "signed out although no answer was lost"
    spilled = (grant.grant_id, grant.pair_generation + 1) in town.spill.pairs
    kept = [one for one in last if _is_kept(town, one, spilled=spilled)]
    assert not kept, "signed out although its living pair was at hand"


def _is_kept(town: Town, asked: Asked, *, spilled: bool) -> bool:
    """Whether the pair that the site would honour was with somebody who lived on, or spilled."""
    if asked.pair is None or not town.honours(asked.pair.refresh_token):
        return False
    return spilled or not asked.worker.dead


def _check_audit(town: Town, who: int, cause: str) -> None:
    told = town.admin.execute(
        "SELECT action, details ->> 'cause' FROM app.audit_events WHERE grant_id = %s"
        " AND action IN ('grant:ended', 'grant:revived') ORDER BY occurred_at, event_id",
        [town.people[who].grant_id],
    ).fetchall()
    assert told, "an end without an audit event"
    assert told[-1] == ("grant:ended", cause)
    ends = sum(action == "grant:ended" for action, _ in told)
    assert ends == len(told) - ends + 1, "an end that is audited twice, or not at all"


def _check_rest(town: Town) -> None:
    """No token lies anywhere in the open: in no table, and not in the second store."""
    stored = "\n".join(_rows_as_text(town)).encode()
    stored += b"\n".join(one.pair.ciphertext for one in town.spill.pairs.values())
    for token in town.tokens:
        assert token.encode() not in stored
        assert token.encode().hex().encode() not in stored


def _rows_as_text(town: Town) -> list[str]:
    tables = town.admin.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'app'"
    ).fetchall()
    every = " UNION ALL ".join(f"SELECT t::text FROM app.{name} t" for (name,) in tables)  # noqa: S608
    return [row[0] for row in town.admin.execute(every).fetchall()]
