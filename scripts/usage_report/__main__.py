"""The command line of the report.

Only reads: connects with ``DATABASE_URL``, as the role ``app_report``, which may be that of a
reader's endpoint.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts.usage_report import page, text
from scripts.usage_report.cloudwatch import CloudWatchMetrics
from scripts.usage_report.emf_logs import EmfLogs
from scripts.usage_report.figures import Report, Used
from scripts.usage_report.resources import ResourceSource
from shared.errors.base import ServiceError
from shared.state import usage_report
from shared.state.database import Database
from shared.state.usage_report import Period

DAYS: Final = 28
DAYS_MAX: Final = 366
LISTED: Final = 15
STATEMENT_SECONDS_MAX: Final = 30.0


class NothingCountedError(Exception):
    """No day is rolled up yet; the first is three hours after its end."""


def _days(given: str) -> int:
    days = int(given)
    if not 1 <= days <= DAYS_MAX:
        raise argparse.ArgumentTypeError(f"1 to {DAYS_MAX}")
    return days


def _folder(given: str) -> Path:
    folder = Path(given)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {given}")
    return folder


def _day(given: str) -> datetime:
    return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/report",
        description="What people look for and read, who comes back, and what it takes.",
    )
    parser.add_argument("--days", type=_days, default=DAYS, help=f"whole days (UTC), {DAYS}")
    parser.add_argument(
        "--until", type=_day, metavar="YYYY-MM-DD", help="first day after; the last counted one"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page, too")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--logs", type=_folder, metavar="FOLDER", help="resources from a local stack's logs"
    )
    where.add_argument("--cloudwatch", metavar="STAGE", help="resources from CloudWatch")
    return parser


async def counted(
    database: Database, *, days: int, until: datetime | None, source: ResourceSource | None
) -> Report:
    """The figures of so many days.

    Raises:
        NothingCountedError: there is nothing to tell of.
        UnavailableError: the database is away.
    """
    async with database.transaction() as tx:
        end = until or await usage_report.counted_until(tx)
        if end is None:
            raise NothingCountedError
        period = Period(since=end - timedelta(days=days), until=end)
        usage = await usage_report.read(tx, period, limit=LISTED)
    used = None if source is None else Used(source=source.name, hourly=source.hourly(period))
    return Report(usage=usage, used=used)


def _source(given: argparse.Namespace) -> ResourceSource | None:
    if given.logs is not None:
        return EmfLogs(given.logs)
    if given.cloudwatch is not None:
        return CloudWatchMetrics(boto3.client("cloudwatch"), stage=given.cloudwatch)
    return None


async def _run(given: argparse.Namespace, environment: Mapping[str, str]) -> int:
    database = Database(
        environment["DATABASE_URL"], statement_timeout_seconds=STATEMENT_SECONDS_MAX
    )
    try:
        report = await counted(database, days=given.days, until=given.until, source=_source(given))
    except NothingCountedError:
        print("Nothing is counted yet: a day is, three hours after its end (UTC).")
        return 0
    except ServiceError as error:
        print(f"FAILED: {error.code.value}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"FAILED: CloudWatch: {type(error).__name__}", file=sys.stderr)
        return 1
    finally:
        await database.close()
    print(text.written(report))
    if given.html is not None:
        given.html.write_text(page.written(report), encoding="utf-8")
        print(f"\nWritten: {given.html}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    given = _parser().parse_args(arguments)
    if "DATABASE_URL" not in os.environ:
        print("FAILED: set DATABASE_URL", file=sys.stderr)
        return 2
    return asyncio.run(_run(given, os.environ))


if __name__ == "__main__":
    sys.exit(main())
