"""The command line: ``verify``, ``search`` and ``export``; it only reads.

Connects with ``DATABASE_URL``, which has to be the owner's.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg

from scripts.audit_trail import heads, log_lines
from scripts.audit_trail.reading import TrailReader
from scripts.audit_trail.verification import verify
from shared.domain.audit_chains import ChainedEvent, as_line

INTACT, FOUND, FAILED = 0, 1, 2


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/audit", description="Verifies, searches and exports the audit trail."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("verify", help="walk the hash chains and name what was changed")
    check.add_argument(
        "--from", dest="heads", type=Path, help="archived heads: begin behind them, and trust them"
    )
    check.add_argument("--log", type=Path, help="file with log lines to compare with")
    for name, about in (
        ("search", "one readable line for each event"),
        ("export", "whole events as JSON lines, with their hashes"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--action", help="such as grant:ended")
        command.add_argument("--person", type=UUID, help="pseudonym, as in the events")
        command.add_argument("--grant", type=UUID)
        command.add_argument("--client", help="client id")
        command.add_argument("--since", type=_moment, help="time, UTC if it says none")
        command.add_argument("--until", type=_moment)
    return parser


def _verify(reader: TrailReader, given: argparse.Namespace) -> int:
    ends = reader.ends()
    if given.heads is not None:
        ends = heads.beginning_at(ends, heads.read(given.heads.read_text(encoding="utf-8")))
    places = []
    if given.log is not None:
        with given.log.open(encoding="utf-8") as lines:
            places = log_lines.read(lines)
    report = verify(reader.by_chain(), ends, watched=log_lines.watched(places))
    compared = log_lines.compare(places, report, ends)
    findings = report.findings + compared.findings
    for finding in findings:
        print(finding)
    print(f"{report.events} events in {len(ends)} chains, {len(findings)} findings")
    if given.log is not None:
        print(f"{len(places)} log lines, {compared.without_line} events between them without one")
    return FOUND if findings else INTACT


def _readable(event: ChainedEvent) -> str:
    facts = [
        f"{name} {value}"
        for name in ("user_id", "grant_id", "session_id", "client_id")
        if (value := getattr(event, name)) is not None
    ]
    when = event.occurred_at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds")
    place = f"[{event.chain}/{event.sequence}]"
    return "  ".join([when, event.action, *facts, event.details, place])


def _listed(reader: TrailReader, given: argparse.Namespace) -> int:
    names = ("action", "person", "grant", "client", "since", "until")
    wanted = {name: value for name in names if (value := getattr(given, name)) is not None}
    shown = as_line if given.command == "export" else _readable
    for event in reader.matching(wanted):
        print(shown(event))
    return INTACT


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 in order, 1 with findings, 2 if it could not be done."""
    given = _parser().parse_args(arguments)
    if "DATABASE_URL" not in os.environ:
        print("FAILED: set DATABASE_URL", file=sys.stderr)
        return FAILED
    try:
        reader = TrailReader(os.environ["DATABASE_URL"])
        try:
            return _verify(reader, given) if given.command == "verify" else _listed(reader, given)
        finally:
            reader.close()
    except (psycopg.Error, OSError, ValueError) as error:
        # The server's text can quote rows.
        told = type(error).__name__ if isinstance(error, psycopg.Error) else str(error)
        print(f"FAILED: {told}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
