"""The two servers that are checked: the product, and the everything server on the same engine.

Both run on free ports of this machine and are gone afterwards; a kept stack is never touched.
"""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.conformance_suite.relay import running_relay
from scripts.fake_drupal.accounts import MEMBER
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, SignInError, connected_client
from scripts.local_stack.options import StackOptions
from scripts.local_stack.person import Person
from scripts.local_stack.stack import running_stack

EVERYTHING_HANDLER: Final = "tests.support.everything_app.handler"
_EVERYTHING_PATH: Final = "/mcp"
_MORE_VARIABLES: Final = {"CALL_LIMITS_FACTOR": "100"}
"""One person runs the whole suite in seconds, and what it asks must be answered as to anybody."""


@dataclass(frozen=True)
class SignInParts:
    """What a sign-in at the product needs."""

    issuer_url: str
    mcp_url: str
    person: Person


@dataclass(frozen=True)
class CheckedServer:
    """A running server."""

    url: str
    """Of its MCP endpoint, which asks for no token there."""
    sign_in: SignInParts | None = None
    """None for a server without sign-in."""


@contextlib.asynccontextmanager
async def product() -> AsyncIterator[CheckedServer]:
    """A fresh stack, seen through the relay, with a member signed in.

    Raises:
        PartFailedError: a part of the stack did not start.
        SignInError: the member could not sign in.
    """
    with tempfile.TemporaryDirectory(prefix="dmcp-conf-", ignore_cleanup_errors=True) as folder:
        options = StackOptions(Path(folder), fixed_ports=False, more_variables=_MORE_VARIABLES)
        async with running_stack(options) as stack, ScriptedBrowser() as browser:
            person = Person(browser, MEMBER.name, MEMBER.password)
            mcp_url = stack.addresses.mcp_url
            token = await _access_token(mcp_url, person)
            async with running_relay(mcp_url, access_token=token) as relay_url:
                sign_in = SignInParts(stack.addresses.issuer_url, mcp_url, person)
                yield CheckedServer(relay_url, sign_in)


async def _access_token(mcp_url: str, person: Person) -> str:
    memory = ClientMemory()
    async with connected_client(mcp_url, person, memory):
        pass
    if memory.tokens is None:
        raise SignInError("the client connected without tokens")
    return memory.tokens.access_token


@contextlib.asynccontextmanager
async def everything() -> AsyncIterator[CheckedServer]:
    """The everything server behind a streaming Function URL."""
    with tempfile.TemporaryDirectory(prefix="dmcp-conf-", ignore_cleanup_errors=True) as folder:
        async with Emulator(log_folder=Path(folder)) as emulator:
            url = await emulator.start(
                FunctionSpec(
                    name="everything",
                    handler=EVERYTHING_HANDLER,
                    invoke_mode="RESPONSE_STREAM",
                )
            )
            yield CheckedServer(url + _EVERYTHING_PATH)
