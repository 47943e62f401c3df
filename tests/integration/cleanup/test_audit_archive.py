"""Months of the audit trail are there in time, and go only when all of them is archived."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from functions.cleanup.audit_archive import AuditArchive
from scripts.audit_trail import command_line
from shared.archive.object_archive import ArchiveUnavailableError, S3Archive
from shared.domain.audit_chains import from_line
from shared.state import audit_events
from shared.state.audit_events import AuditAction
from shared.state.audit_partitions import MONTHS_AHEAD
from shared.state.database import Database, Transaction
from shared.state.roles import AppRole
from tests.integration.audit_trail.trail import append, found
from tests.support.clock import DatabaseClock

MONTH_SECONDS: Final = 31 * 86_400.0
BUCKET: Final = "audit-archive"


async def on_the_hour(_tx: Transaction) -> tuple[int, int]:
    return 9, 4


async def later(_tx: Transaction) -> tuple[int, int]:
    return 9, 5


@pytest.fixture
def admin(fresh_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def moved(admin: psycopg.Connection[Any]) -> DatabaseClock:
    """The clock of a database of its own."""
    return DatabaseClock(admin)


@pytest.fixture
async def cleanup(fresh_database: str) -> AsyncIterator[Database]:
    """The database as the cleanup's role sees it."""
    database = Database(make_conninfo(fresh_database, user=AppRole.CLEANUP.value))
    yield database
    await database.close()


@pytest.fixture
def bucket(kms_endpoint: str) -> Iterator[Any]:
    """A bucket that locks what it gets, as the template has it."""
    s3 = boto3.client("s3", endpoint_url=kms_endpoint)
    s3.create_bucket(
        Bucket=BUCKET,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    s3.put_object_lock_configuration(
        Bucket=BUCKET,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 396}},
        },
    )
    yield s3
    for one in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(
            Bucket=BUCKET,
            Key=one["Key"],
            VersionId=one["VersionId"],
            BypassGovernanceRetention=True,
        )
    s3.delete_bucket(Bucket=BUCKET)
    s3.close()


def chore(database: Database, archive: Any, *, hour: Any = later, part: int = 3) -> AuditArchive:
    return AuditArchive(
        database,
        archive,
        seconds_left=lambda: 100.0,
        time_of_day=hour,
        part_events_max=part,
    )


def archived(bucket: Any, prefix: str) -> dict[str, bytes]:
    listed = bucket.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        one["Key"]: bucket.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
        for one in listed
    }


def partitions(admin: psycopg.Connection[Any]) -> list[str]:
    rows = admin.execute("SELECT month::text FROM app.audit_months()").fetchall()
    return [name for (name,) in rows]


async def test_months_are_made_ahead_and_events_of_each_lie_in_its_own(
    fresh_database: str,
    admin: psycopg.Connection[Any],
    moved: DatabaseClock,
    cleanup: Database,
) -> None:
    at_first = partitions(admin)
    for _ in range(3):
        await chore(cleanup, None).run()
        append(admin, 2)
        moved.advance(MONTH_SECONDS)

    assert len(at_first) == 1 + MONTHS_AHEAD
    assert partitions(admin)[: len(at_first)] == at_first
    assert len(partitions(admin)) > len(at_first)
    lying = admin.execute(
        "SELECT tableoid::regclass::text, count(*) FROM app.audit_events GROUP BY 1"
    ).fetchall()
    assert [number for _, number in lying] == [2, 2, 2]
    assert found(fresh_database) == []


async def test_when_nobody_has_made_a_month_no_append_fails_and_the_events_move_later(
    fresh_database: str,
    admin: psycopg.Connection[Any],
    moved: DatabaseClock,
    cleanup: Database,
) -> None:
    moved.advance(6 * MONTH_SECONDS)
    append(admin, 3)
    strays = "SELECT count(*) FROM app.audit_events_default"
    before = admin.execute(strays).fetchone()

    done = await chore(cleanup, None).run()

    assert (before, admin.execute(strays).fetchone()) == ((3,), (0,))
    assert done["audit_months_made"] == 1 + MONTHS_AHEAD
    assert found(fresh_database) == []


async def test_a_month_that_is_over_its_time_is_archived_whole_and_then_dropped(
    fresh_database: str,
    admin: psycopg.Connection[Any],
    moved: DatabaseClock,
    cleanup: Database,
    bucket: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    append(admin, 7)
    append(admin, 2, chain=9)
    before = partitions(admin)
    for _ in range(14):
        moved.advance(MONTH_SECONDS)
        await chore(cleanup, None).run()
    append(admin, 2)
    rows = "SELECT count(*) FROM app.audit_events"

    archive = S3Archive(BUCKET)
    done = await chore(cleanup, archive).run()

    assert done["audit_events_archived"] == 9
    assert done["audit_months_dropped"] == 1
    assert partitions(admin)[0] > before[0]
    assert admin.execute(rows).fetchone() == (2,)
    objects = archived(bucket, "events/")
    assert len(objects) == 4
    events = [
        from_line(line)
        for body in objects.values()
        for line in gzip.decompress(body).decode().splitlines()
    ]
    assert len(events) == 9
    assert all(event.intact for event in events)
    # The chains begin behind what was dropped, and still hold.
    assert found(fresh_database) == []
    archive.forget_client()


async def test_an_archived_object_can_be_overwritten_by_nobody(
    admin: psycopg.Connection[Any], cleanup: Database, bucket: Any
) -> None:
    archive = S3Archive(BUCKET)
    await chore(cleanup, archive, hour=on_the_hour).run()
    (key,) = archived(bucket, "heads/")

    held = bucket.head_object(Bucket=BUCKET, Key=key)

    assert held["ObjectLockMode"] == "GOVERNANCE"
    with pytest.raises(bucket.exceptions.ClientError, match="AccessDenied"):
        bucket.delete_object(Bucket=BUCKET, Key=key, VersionId=held["VersionId"])
    archive.forget_client()


async def test_heads_are_archived_every_hour_and_a_check_begins_with_them(
    fresh_database: str,
    admin: psycopg.Connection[Any],
    cleanup: Database,
    bucket: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append(admin, 4)
    archive = S3Archive(BUCKET)
    assert (await chore(cleanup, archive).run())["audit_heads_archived"] == 0
    assert (await chore(cleanup, archive, hour=on_the_hour).run())["audit_heads_archived"] == 32
    (body,) = archived(bucket, "heads/").values()
    heads = tmp_path / "heads.json"
    heads.write_bytes(body)
    append(admin, 2)
    monkeypatch.setenv("DATABASE_URL", fresh_database)

    assert json.loads(body)["heads"][3]["sequence"] == 4
    assert command_line.main(["verify", "--from", str(heads)]) == 0
    archive.forget_client()


async def test_nothing_is_dropped_when_the_archive_takes_nothing(
    admin: psycopg.Connection[Any], moved: DatabaseClock, cleanup: Database, kms_endpoint: str
) -> None:
    assert kms_endpoint
    append(admin, 2)
    moved.advance(15 * MONTH_SECONDS)
    archive = S3Archive("a-bucket-that-is-not-there")

    done = await chore(cleanup, archive).run()

    assert "audit_months_dropped" not in done
    assert admin.execute("SELECT count(*) FROM app.audit_events").fetchone() == (2,)
    with pytest.raises(ArchiveUnavailableError):
        await archive.put("heads/x", b"{}", content_type="application/json")
    archive.forget_client()


async def test_the_cleanup_can_neither_read_nor_drop_a_month_before_its_time(
    admin: psycopg.Connection[Any], moved: DatabaseClock, cleanup: Database
) -> None:
    append(admin, 2)
    over = admin.execute(
        "SELECT extract(epoch FROM (date_trunc('month', now() AT TIME ZONE 'UTC')"
        " + interval '14 months') AT TIME ZONE 'UTC' - now())"
    ).fetchone()
    assert over is not None
    moved.advance(float(over[0]) - 60)
    for months in (0, 12, 13):
        kept = {"months": months}
        async with cleanup.autocommit() as tx:
            rows = await tx.rows("SELECT * FROM app.next_audit_part(%(months)s, 10)", kept)
            dropped = await tx.row("SELECT app.drop_audit_month(%(months)s) AS month", kept)

        assert rows == []
        assert dropped == {"month": None}


async def test_a_month_of_which_a_note_is_missing_is_not_dropped(
    admin: psycopg.Connection[Any], moved: DatabaseClock, cleanup: Database, bucket: Any
) -> None:
    append(admin, 2)
    moved.advance(15 * MONTH_SECONDS)
    archive = S3Archive(BUCKET)
    async with cleanup.autocommit() as tx:
        for first, last in ((1, 1), (1, 2)):
            dropped = await tx.row("SELECT app.drop_audit_month(13) AS month")
            assert dropped == {"month": None}
            # Claims more, or other rows, than there are.
            await tx.execute(
                "SELECT app.note_audit_part((SELECT date_trunc('month', now())::date), 9::smallint,"
                " %(first)s, %(last)s, 1, 'key', sha256('x'))",
                {"first": first, "last": last},
            )

    assert (await chore(cleanup, archive).run())["audit_months_dropped"] == 0
    archive.forget_client()


async def test_an_append_in_the_new_month_follows_that_of_the_old_one(
    fresh_database: str, admin: psycopg.Connection[Any], moved: DatabaseClock
) -> None:
    """The clock stands at the last moment of a month, then goes on."""
    database = Database(fresh_database)
    month_end = admin.execute(
        "SELECT extract(epoch FROM (date_trunc('month', now() AT TIME ZONE 'UTC')"
        " + interval '1 month') AT TIME ZONE 'UTC' - now()) - 1"
    ).fetchone()
    assert month_end is not None
    moved.stop()
    moved.advance(float(month_end[0]))
    for _ in range(40):
        async with database.autocommit() as tx:
            await audit_events.append(tx, AuditAction.CONSENT_GIVEN)
    moved.advance(2)
    for _ in range(40):
        async with database.autocommit() as tx:
            await audit_events.append(tx, AuditAction.CONSENT_GIVEN)
    await database.close()

    lying = admin.execute(
        "SELECT count(*) FROM app.audit_events GROUP BY tableoid ORDER BY 1"
    ).fetchall()
    assert lying == [(40,), (40,)]
    assert found(fresh_database) == []
