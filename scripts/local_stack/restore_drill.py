"""The drill of docs/disaster-recovery.md: dump, lose the database, restore, see who is signed in.

Runs on a stack of its own, which is gone afterwards.
"""

import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import psycopg

from scripts.fake_drupal.accounts import FREE, MEMBER, Account
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, connected_client
from scripts.local_stack.demo import Transcript
from scripts.local_stack.functions import DATABASE
from scripts.local_stack.options import StackOptions
from scripts.local_stack.person import Person
from scripts.local_stack.stack import Stack, running_stack
from shared.state.migrator import migrate
from shared.state.roles import AppRole

_SECONDS_MAX: Final = 30.0
_LIST_TOOLS: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


class DrillFailedError(Exception):
    """Somebody had to sign in again, or was told to."""


@dataclass(frozen=True)
class Drilled:
    """What came out."""

    people: int
    still_signed_in: int
    seconds_without_database: float


@dataclass(frozen=True)
class _SignedIn:
    account: Account
    memory: ClientMemory


async def run(tell: Callable[[str], None] = print) -> Drilled:
    """Run the drill.

    Raises:
        DrillFailedError: the loss or the restore signed somebody out.
    """
    transcript = Transcript(tell)
    with tempfile.TemporaryDirectory(prefix="dmcp-drill-", ignore_cleanup_errors=True) as folder:
        options = StackOptions(Path(folder), fixed_ports=False)
        async with running_stack(options) as stack:
            drilled = await _drill(stack, transcript, Path(folder) / "backup.dump")
    transcript.end()
    return drilled


async def _drill(stack: Stack, transcript: Transcript, backup: Path) -> Drilled:
    with transcript.step("Two people sign in"):
        people = [_SignedIn(account, ClientMemory()) for account in (MEMBER, FREE)]
        for person in people:
            async with _connected(stack, person):
                transcript.line(f"{person.account.name} is connected")
    with transcript.step("Dump the database (pg_dump)"):
        size_bytes = await asyncio.to_thread(_dump, stack, backup)
        transcript.line(f"{size_bytes:,} bytes")
    lost_at = time.monotonic()
    with transcript.step("Lose it: the server dies, its data is deleted"):
        stack.postgres.lose_everything()
        for person in people:
            status = await _status_of_a_call(stack, person)
            transcript.line(f"{person.account.name} calls: {status}")
            _demand(status != 401, "a call was answered 401 while the database was away")
    with transcript.step("Restore into an empty server, and let the release set roles and rights"):
        await asyncio.to_thread(_restore, stack, backup)
    seconds = time.monotonic() - lost_at
    with transcript.step("The same clients go on, and refresh their tokens"):
        for person in people:
            async with _connected(stack, person):
                pass
            await _refresh(stack, person)
            transcript.line(f"{person.account.name}: signed in {person.memory.sign_ins} time")
    still = sum(person.memory.sign_ins == 1 for person in people)
    _demand(still == len(people), "somebody had to sign in again")
    transcript.line(f"Still signed in: {still} of {len(people)}; {seconds:.1f} s without database.")
    return Drilled(len(people), still, seconds)


def _demand(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - the condition itself
    if not holds:
        raise DrillFailedError(otherwise)


@contextlib.asynccontextmanager
async def _connected(stack: Stack, person: _SignedIn) -> AsyncIterator[None]:
    async with ScriptedBrowser() as browser:
        someone = Person(browser, person.account.name, person.account.password)
        async with connected_client(stack.addresses.mcp_url, someone, person.memory) as client:
            answer = await client.call_tool("account_status", {})
            _demand(not answer.is_error, "account_status was answered with an error")
            yield


async def _status_of_a_call(stack: Stack, person: _SignedIn) -> int:
    tokens = person.memory.tokens
    headers = {
        "authorization": f"Bearer {tokens.access_token if tokens else ''}",
        "accept": "application/json, text/event-stream",
    }
    async with httpx2.AsyncClient(timeout=_SECONDS_MAX, trust_env=False) as http:
        answer = await http.post(stack.addresses.mcp_url, headers=headers, json=_LIST_TOOLS)
    return answer.status_code


async def _refresh(stack: Stack, person: _SignedIn) -> None:
    tokens, client = person.memory.tokens, person.memory.registration
    form = {
        "grant_type": "refresh_token",
        "refresh_token": (tokens.refresh_token if tokens else None) or "",
        "client_id": (client.client_id if client else None) or "",
    }
    async with httpx2.AsyncClient(timeout=_SECONDS_MAX, trust_env=False) as http:
        answer = await http.post(f"{stack.addresses.issuer_url}/token", data=form)
    _demand(answer.status_code == 200, f"a refresh was answered {answer.status_code}")


def _dump(stack: Stack, backup: Path) -> int:
    stack.postgres.dump(DATABASE, backup)
    return backup.stat().st_size


def _restore(stack: Stack, backup: Path) -> None:
    stack.postgres.come_back_empty()
    with psycopg.connect(stack.postgres.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    stack.postgres.restore(DATABASE, backup)
    # Roles are no part of a dump; the release makes them, as at any deployment.
    migrate(stack.postgres.conninfo(DATABASE), app_roles=dict.fromkeys(AppRole))


def main() -> int:
    """Exit status: 0 when nobody was signed out, else 1."""
    try:
        asyncio.run(run())
    except (DrillFailedError, subprocess.CalledProcessError) as error:
        print(f"\nFAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
