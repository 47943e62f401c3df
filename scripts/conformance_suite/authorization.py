"""The suite's scenarios for authorization servers, with a person who signs in when asked to.

It must know the authorization server only by its address, like any client.
"""

import re
from pathlib import Path
from typing import Final

import httpx

from scripts.conformance_suite.node import Checkers
from scripts.conformance_suite.servers import SignInParts
from scripts.conformance_suite.suite import ScenarioResult, read_results
from scripts.local_stack.addresses import free_port

_SECONDS_MAX: Final = 60.0
_AUTHORIZATION_URL: Final = re.compile(r"https?://\S+[?&]response_type=code\S*")


async def run_authorization(
    checkers: Checkers, parts: SignInParts, revision: str, folder: Path
) -> list[ScenarioResult]:
    """Run them at one revision; `folder` must be empty or missing.

    Raises:
        SuiteFailedError: a scenario left no result.
        BrowserError: the person could not sign in.
        TimeoutError: it took too long.
    """
    port = free_port("127.0.0.1")
    redirect_uri = f"http://127.0.0.1:{port}/callback"
    async with httpx.AsyncClient(timeout=_SECONDS_MAX) as http:
        client_id = await _register(http, parts.issuer_url, redirect_uri)

        async def sign_in_when_asked(line: str) -> None:
            if shown := _AUTHORIZATION_URL.fullmatch(line):
                await http.get(await parts.person.sign_in(shown[0], redirect_uri))

        arguments = ["authorization", "--url", parts.issuer_url, "--client-id", client_id]
        arguments += ["--resource", parts.mcp_url, "--port", str(port)]
        arguments += ["--spec-version", revision, "--output-dir", str(folder)]
        outcome = await checkers.suite(
            arguments, seconds_max=_SECONDS_MAX, on_line=sign_in_when_asked
        )
    return read_results(outcome, folder, kind="authorization-server", revision=revision)


async def _register(http: httpx.AsyncClient, issuer_url: str, redirect_uri: str) -> str:
    """A public client of our own (RFC 7591), at the address that the metadata names."""
    metadata = await http.get(f"{issuer_url}/.well-known/oauth-authorization-server")
    answer = await http.post(
        metadata.raise_for_status().json()["registration_endpoint"],
        json={
            "client_name": "Conformance suite",
            "redirect_uris": [redirect_uri],
            "token_endpoint_auth_method": "none",
        },
    )
    return str(answer.raise_for_status().json()["client_id"])
