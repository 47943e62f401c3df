"""The command line that erases one person. Changes nothing without ``--confirm``.

Connects with ``DATABASE_URL``, as the cleanup's role: no other may do it.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from shared.domain.identifiers import UpstreamSubject
from shared.errors.base import ServiceError
from shared.state import erasures
from shared.state.database import Database
from shared.state.erasures import HeldOfPerson
from shared.workflows.erase_person import WAIT_SECONDS_MAX, request_erasure

_WAIT_HOURS = int(WAIT_SECONDS_MAX / 3_600)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/erase",
        description="Erases one person: ends their grants, has Drupal revoke the tokens, then "
        "destroys what opens them. Without --confirm it only says what there is.",
    )
    parser.add_argument("subject", help="the person's id at the Drupal site")
    parser.add_argument("--site", help="origin of the site; else DRUPAL_BASE_URL")
    parser.add_argument("--confirm", action="store_true", help="do it; there is no way back")
    return parser


def _shown(held: HeldOfPerson) -> str:
    return (
        f"person {held.user_id}\n"
        f"  grants in force    {held.open_grants}\n"
        f"  sessions open      {held.open_sessions}\n"
        f"  pairs still sealed {held.sealed_pairs}\n"
        f"  pairs to be burnt  {held.discarded_pairs}"
    )


async def erase(database: Database, *, site: str, subject: str, confirm: bool) -> int:
    """Say what there is of a person, and erase them if ``confirm``; the exit status."""
    async with database.autocommit() as tx:
        held = await erasures.held(tx, site=site, subject=UpstreamSubject(subject))
    if held is None:
        print(
            "Nobody of this id is known. An erasure that was requested before shows in the audit."
        )
        return 1
    print(_shown(held))
    if not confirm:
        print("Nothing was changed. With --confirm this person is erased.")
        return 0
    if not await request_erasure(database, held.user_id):
        print("Somebody else has just requested it.")
        return 0
    print(
        "Requested: every grant has ended and nobody is known under this id any more.\n"
        "The cleanup destroys the salt as soon as Drupal has revoked the tokens, "
        f"in {_WAIT_HOURS} hours at the latest."
    )
    return 0


async def _run(given: argparse.Namespace, environment: Mapping[str, str]) -> int:
    database = Database(environment["DATABASE_URL"])
    try:
        return await erase(
            database,
            site=given.site or environment["DRUPAL_BASE_URL"],
            subject=given.subject,
            confirm=given.confirm,
        )
    except ServiceError as error:
        print(f"FAILED: {error.code.value}; nothing is half done, try again", file=sys.stderr)
        return 1
    finally:
        await database.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    given = _parser().parse_args(arguments)
    missing = {"DATABASE_URL"} - set(os.environ)
    if not given.site:
        missing |= {"DRUPAL_BASE_URL"} - set(os.environ)
    if missing:
        print(f"FAILED: set {', '.join(sorted(missing))}", file=sys.stderr)
        return 2
    return asyncio.run(_run(given, os.environ))


if __name__ == "__main__":
    sys.exit(main())
