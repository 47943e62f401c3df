"""The command line of an incident: ends what a client, a person or everybody holds.

Changes nothing without ``--do``. Connects with ``DATABASE_URL``, as the role ``app_containment``.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from shared.domain.containments import (
    Everybody,
    Held,
    OneClient,
    OnePerson,
    Order,
    Target,
    UnusableOrderError,
)
from shared.domain.identifiers import ClientId, UpstreamSubject, UserId, new_id
from shared.errors.base import ServiceError
from shared.state import containments
from shared.state.database import Database
from shared.workflows import contain

_DATABASE = "DATABASE_URL"
_SITE = "DRUPAL_BASE_URL"
_WORDS = {
    "grants": "grants in force",
    "sessions": "sessions open",
    "access_tokens": "access tokens live",
    "codes": "codes in flight",
    "sign_ins": "sign-ins under way",
    "approvals": "browsers not asked again",
    "visits": "visits of the account page",
}


class UnknownTargetError(Exception):
    """There is no such client or person."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/contain",
        description="Ends the sessions, tokens and codes of one client, one person or everybody; "
        "Drupal's tokens are revoked by the cleanup. Without --do it only says what there is.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    client = _command(commands, "client", "all that people gave to one client")
    client.add_argument("client_id", help="its id, as in the audit trail")
    client.add_argument("--block", action="store_true", help="and let nobody sign in with it")
    unblock = _command(commands, "unblock", "take a client's block back; nothing comes alive again")
    unblock.add_argument("client_id", help="its id")
    person = _command(commands, "person", "all that one person gave")
    who = person.add_mutually_exclusive_group(required=True)
    who.add_argument("--subject", help="the person's id at the Drupal site")
    who.add_argument("--user-id", type=UUID, help="the person's id here, as in the audit trail")
    person.add_argument("--site", help=f"origin of the site; else {_SITE}")
    _command(commands, "everybody", "every session that there is")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=about, description=about)
    command.add_argument("--do", action="store_true", help="do it; there is no way back")
    command.add_argument("--operator", default="", help="who does it; needed with --do")
    command.add_argument("--reason", default="", help="why, in one line; needed with --do")
    command.add_argument(
        "--until",
        type=datetime.fromisoformat,
        help="only what began until then (ISO 8601 with offset); else until now",
    )
    return command


def shown(held: Held) -> str:
    """What there is, one number a line."""
    return "\n".join(f"  {_WORDS[name]:<27}{count}" for name, count in asdict(held).items())


class Containing:
    """One run of the command over one database."""

    def __init__(self, database: Database, given: argparse.Namespace) -> None:
        self._database = database
        self._given = given

    async def run(self, environment: Mapping[str, str]) -> int:
        """Do what was asked, or say what it would be; the exit status.

        Raises:
            UnknownTargetError: there is no such client or person.
            UnusableOrderError: no usable operator or reason was given.
            UnavailableError: the database is away; what was told is done.
        """
        target = await self._target(environment)
        order = self._order() if self._given.do else None
        if self._given.command == "unblock":
            return await self._unblock(target, order)
        until = self._given.until or await self._now()
        print(f"until {until.isoformat()}\n{shown(await self._look(target, until))}")
        if order is None:
            print("Nothing was changed. With --do all of this ends.")
            return 0
        if self._given.command == "client" and self._given.block:
            await self._block(target, order)
        return await self._contain(target, order, until)

    def _order(self) -> Order:
        return Order(
            containment_id=new_id(), operator=self._given.operator, reason=self._given.reason
        )

    async def _now(self) -> datetime:
        async with self._database.autocommit() as tx:
            return await containments.now(tx)

    async def _look(self, target: Target, until: datetime) -> Held:
        return await contain.look(self._database, target, until=until)

    async def _target(self, environment: Mapping[str, str]) -> Target:
        given = self._given
        if given.command == "everybody":
            return Everybody()
        async with self._database.autocommit() as tx:
            if given.command == "person":
                if given.user_id is not None:
                    return OnePerson(UserId(given.user_id))
                site = given.site or environment[_SITE]
                subject = UpstreamSubject(given.subject)
                user_id = await containments.find_person(tx, site=site, subject=subject)
                if user_id is None:
                    raise UnknownTargetError("nobody of this id was ever here")
                return OnePerson(user_id)
            blocked = await containments.is_blocked(tx, ClientId(given.client_id))
        if blocked is None:
            raise UnknownTargetError("no such client")
        print(f"client {given.client_id!r}, {'blocked' if blocked else 'not blocked'}")
        return OneClient(ClientId(given.client_id))

    async def _block(self, target: Target, order: Order) -> None:
        assert isinstance(target, OneClient)  # noqa: S101 - the parser asks for a client
        done = await contain.block(self._database, target.client_id, order)
        print("Blocked from the next request on." if done else "It was blocked already.")

    async def _unblock(self, target: Target, order: Order | None) -> int:
        assert isinstance(target, OneClient)  # noqa: S101 - the parser asks for a client
        if order is None:
            print("Nothing was changed. With --do the block is taken back.")
            return 0
        done = await contain.unblock(self._database, target.client_id, order)
        print("Unblocked: people can sign in with it again." if done else "There was no block.")
        return 0

    async def _contain(self, target: Target, order: Order, until: datetime) -> int:
        ended = 0
        async for batch in contain.contain(self._database, target, order, until=until):
            ended += batch
            print(f"{ended} grants ended", flush=True)
        print(f"left of what began until then:\n{shown(await self._look(target, until))}")
        print(
            f"Containment {order.containment_id}. Drupal is told by the next runs of the cleanup."
        )
        return 0


async def run(given: argparse.Namespace) -> int:
    """Do what the command line said; the exit status."""
    database = Database(os.environ[_DATABASE])
    try:
        return await Containing(database, given).run(os.environ)
    except (UnknownTargetError, UnusableOrderError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 2
    except ServiceError as error:
        print(
            f"FAILED: {error.code.value}. What was told has been done; the same command goes on "
            "from there (with --until, for what began until then only).",
            file=sys.stderr,
        )
        return 1
    finally:
        await database.close()


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace | int:
    """What the command line says; or the exit status, where it or the environment falls short."""
    given = _parser().parse_args(arguments)
    missing = {_DATABASE} - set(os.environ)
    if getattr(given, "subject", None) and not given.site:
        missing |= {_SITE} - set(os.environ)
    if missing:
        print(f"FAILED: set {', '.join(sorted(missing))}", file=sys.stderr)
        return 2
    if given.until is not None and given.until.tzinfo is None:
        print("FAILED: --until needs an offset from UTC", file=sys.stderr)
        return 2
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole command; the exit status."""
    given = parsed(arguments)
    return given if isinstance(given, int) else asyncio.run(run(given))


if __name__ == "__main__":
    sys.exit(main())
