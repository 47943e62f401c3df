"""What `sam local` needs around it: a stack of its own, its variables in a file, filled events.

    scripts/sam_local              until Ctrl-C; docs/sam-local.md says what to type meanwhile

It must be used with the stack's made-up data only: Postgres is reachable through a port, without a
password, as long as this runs.
"""

import argparse
import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.artifacts.build import LOGICAL_IDS
from scripts.deployment.socket_relay import relayed
from scripts.local_stack.options import REGION, StackOptions
from scripts.local_stack.stack import Stack, running_stack
from scripts.replay.cases import EVENTS, load
from scripts.replay.sign_in import placeholder_values

DATA_DIR: Final = Path(".dev/sam-local")
VARIABLES_FILE: Final = EVENTS / "env.local.json"
_LOOPBACK: Final = re.compile(r"^(https?://)127\.0\.0\.\d+(?=[:/])")
_REACHED_FROM_INSIDE: Final = (
    "AWS_ENDPOINT_URL",
    "DRUPAL_BASE_URL",
    "REFRESH_QUEUE_URL",
    "WATCHDOG_QUEUE_URL",
)


def host_seen_from_containers() -> str:
    """On Linux containers share the machine's network; elsewhere Docker gives it a name."""
    return "127.0.0.1" if sys.platform == "linux" else "host.docker.internal"


def variables(stack: Stack, *, host: str, postgres_port: int) -> dict[str, dict[str, str]]:
    """The variables of every function, by its name in the template, as `--env-vars` takes them."""
    return {
        LOGICAL_IDS[function.name]: _rewritten(
            dict(function.environment), host=host, postgres_port=postgres_port
        )
        for function in stack.functions
    }


def _rewritten(environment: dict[str, str], *, host: str, postgres_port: int) -> dict[str, str]:
    def reached(conninfo: str) -> str:
        known: dict[str, Any] = dict(conninfo_to_dict(conninfo))
        return make_conninfo(**{**known, "host": host, "port": postgres_port})

    if "DATABASE_URL" in environment:
        environment["DATABASE_URL"] = reached(environment["DATABASE_URL"])
    if "DATABASE_URLS" in environment:
        urls = json.loads(environment["DATABASE_URLS"])
        environment["DATABASE_URLS"] = json.dumps({key: reached(urls[key]) for key in urls})
    if host != "127.0.0.1":
        for name in set(_REACHED_FROM_INSIDE) & set(environment):
            environment[name] = _LOOPBACK.sub(rf"\g<1>{host}", environment[name])
    # The SAM CLI hands over credentials and region itself, and nothing that the template lacks.
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("AWS_") or name == "AWS_ENDPOINT_URL"
    }


def postgres_socket(stack: Stack) -> Path:
    """The Unix socket of the stack's database."""
    known: dict[str, Any] = dict(conninfo_to_dict(stack.postgres.conninfo()))
    return Path(known["host"]) / f".s.PGSQL.{known['port']}"


async def write_events(stack: Stack, folder: Path) -> int:
    """Write every event, its placeholders filled after a sign-in; how many."""
    values = await placeholder_values(stack)
    cases = [case.filled(values) for case in load()]
    for case in cases:
        _write(folder / case.function / f"{case.name}.json", case.event)
    return len(cases)


def _write(file: Path, content: object) -> None:
    """Readable by its owner only: tokens and secrets, if only of this stack."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(content, indent=2) + "\n")


async def _run(host: str) -> None:
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    options = StackOptions(DATA_DIR, fixed_ports=False)
    async with (
        running_stack(options, fresh=True) as stack,
        relayed(postgres_socket(stack)) as port,
    ):
        events = DATA_DIR / "events"
        count = await write_events(stack, events)
        _write(VARIABLES_FILE, variables(stack, host=host, postgres_port=port))
        network = " --docker-network host" if host == "127.0.0.1" else ""
        print(
            f"{count} events in {events}, variables in {VARIABLES_FILE.name}. Now, for example:\n"
        )
        print("  sam build")
        print(
            "  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
            f" sam local invoke McpEndpointFunction --region {REGION}{network} \\\n"
            f"    --env-vars events/{VARIABLES_FILE.name}"
            f" -e {events}/mcp_endpoint/search_tutorials.json\n\nCtrl-C ends it.",
            flush=True,
        )
        try:
            await ending.wait()
        finally:
            VARIABLES_FILE.unlink(missing_ok=True)


def main() -> int:
    """Run until Ctrl-C; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/sam_local")
    parser.add_argument("--host", default=host_seen_from_containers(), help="this machine's name")
    asyncio.run(_run(parser.parse_args().host))
    return 0


if __name__ == "__main__":
    sys.exit(main())
