"""The command line for circuits: shows them, forces one open, disables one, gives it back.

Connects with ``DATABASE_URL``, as the cleanup's role. Every change is audited and reaches every
environment with its next call.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from shared.domain.circuits import CircuitState, Dependency
from shared.errors.base import ServiceError
from shared.state import forced_circuits
from shared.state.database import Database
from shared.state.forced_circuits import SHOWN_SECONDS, ShownCircuit

FORCED: Final = {
    "force-open": CircuitState.FORCED_OPEN,
    "disable": CircuitState.DISABLED,
}
SAID: Final = {
    "force-open": "No environment calls it from its next request on, until `reset`.",
    "disable": "Every call goes out, whatever happens, until `reset`.",
    "reset": "Calls come back in growing parts over the next seconds.",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/circuit", description="The circuits that all environments share."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("show", help="every circuit, and the calls of the last minute")
    for name, about in (
        ("force-open", "refuse every call to a dependency, until `reset`"),
        ("disable", "let every call out, whatever happens, until `reset`"),
        ("reset", "close a circuit, forced or not"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("dependency", choices=[one.value for one in Dependency])
    return parser


def shown(circuit: ShownCircuit) -> str:
    """One line about a circuit."""
    parts = [f"{circuit.dependency.value:<14} {circuit.state.value:<12}"]
    if circuit.state is CircuitState.OPEN:
        parts.append(f"for {circuit.open_for_seconds:.0f} s more")
    if circuit.probed:
        parts.append("a probe is out")
    if circuit.openings and circuit.state is not CircuitState.DISABLED:
        parts.append(f"opened {circuit.openings} times in a row")
    if circuit.changed_at is not None:
        parts.append(f"since {circuit.changed_at:%Y-%m-%d %H:%M:%S %Z}")
    if circuit.calls:
        parts.append(
            f"about {circuit.calls} calls in {SHOWN_SECONDS} s, {circuit.failures} failed or slow"
        )
    return ", ".join(parts).strip()


async def run(database: Database, command: str, dependency: Dependency | None) -> str:
    """Do what was asked; what there is to say about it.

    Raises:
        ValueError: this circuit must not be forced so.
        UnavailableError: the database is away.
    """
    if dependency is None:
        async with database.autocommit() as tx:
            return "\n".join(shown(circuit) for circuit in await forced_circuits.show(tx))
    async with database.transaction() as tx:
        if command in FORCED:
            await forced_circuits.force(tx, dependency, FORCED[command])
        else:
            await forced_circuits.reset(tx, dependency)
    return f"{dependency.value}: {command}. {SAID[command]}"


async def _run(given: argparse.Namespace, environment: Mapping[str, str]) -> int:
    database = Database(environment["DATABASE_URL"])
    chosen = getattr(given, "dependency", None)
    try:
        print(await run(database, given.command, Dependency(chosen) if chosen else None))
    except ValueError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 2
    except ServiceError as error:
        print(f"FAILED: {error.code.value}; nothing was changed", file=sys.stderr)
        return 1
    finally:
        await database.close()
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
