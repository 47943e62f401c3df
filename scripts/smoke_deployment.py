"""Smoke test of a deployed stack, over its public addresses; says what it could not try.

    scripts/smoke https://mcp.example/mcp
    scripts/smoke https://mcp.example/mcp --session session.json    with the canary's session

Changes nothing at the deployment, and never prints a token.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from shared.checks.canary_session import CanarySession
from shared.checks.catalogue import (
    PROTOCOL_VERSION,
    CanaryAccount,
    CheckFailedError,
    CheckName,
    Deployment,
)
from shared.checks.doors import Door, Doors, NoAnswerError, Question
from shared.checks.https_doors import HttpsDoors
from shared.checks.runner import run_checks
from shared.discovery.documents import TOKEN_PATH

NEEDING_ACCOUNT: Final = frozenset(
    {
        CheckName.FORMER_BEARER_REFUSED,
        CheckName.CONSENT_PAGE,
        CheckName.TOOL_CALL,
        CheckName.SITE_CALL,
    }
)
EMPTY_ANSWER_SECONDS_MAX: Final = 3.0
"""Answers without a body are known to hang on some Function URLs until the function's timeout."""
_REMAPPED: Final = "x-amzn-remapped-www-authenticate"
_NOTIFICATION: Final = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report."""

    name: str
    verdict: str
    about: str = ""

    @property
    def failed(self) -> bool:
        """Whether something is wrong."""
        return self.verdict == "FAILED"


class NotRunError(Exception):
    """Nothing to try it with; the text says what is missing."""


async def _challenge_header(deployment: Deployment) -> str:
    answer = await deployment.ask(_message(deployment, _NOTIFICATION))
    if answer.status != 401:
        raise CheckFailedError("a call without a token is not answered 401")
    if "www-authenticate" in answer.headers:
        return "as it was sent: an edge gives it back"
    if _REMAPPED in answer.headers:
        return "renamed by the Function URL: clients read the copy and the body"
    raise CheckFailedError("no challenge header of any name")


async def _preflight(deployment: Deployment) -> str:
    headers = {"origin": "https://client.example", "access-control-request-method": "POST"}
    answer = await deployment.ask(Question(Door.MCP, deployment.mcp_path, "OPTIONS", headers))
    exposed = answer.headers.get("access-control-allow-methods", "")
    if answer.status != 200 or "POST" not in exposed:
        raise CheckFailedError("browsers may not call")
    return ""


async def _streams_are_refused(deployment: Deployment) -> str:
    headers = {"accept": "text/event-stream"}
    answer = await deployment.ask(Question(Door.MCP, deployment.mcp_path, "GET", headers))
    if answer.status != 405:
        raise CheckFailedError("GET is not answered 405 at once")
    return ""


async def _aliases_lead_to_the_issuer(deployment: Deployment) -> str:
    answer = await deployment.ask(Question(Door.MCP, TOKEN_PATH, "POST"))
    same_host = urlsplit(deployment.mcp_url).netloc == urlsplit(deployment.issuer_url).netloc
    if same_host:
        raise NotRunError("one host: the path is the issuer's own")
    if answer.status not in {307, 308}:
        raise CheckFailedError("is not redirected")
    if answer.headers.get("location") != f"{deployment.issuer_url}{TOKEN_PATH}":
        raise CheckFailedError("is redirected elsewhere")
    return ""


async def _empty_answers_end(deployment: Deployment) -> str:
    if deployment.account is None:
        raise NotRunError("needs --session")
    began = time.perf_counter()
    answer = await deployment.ask(
        _message(deployment, _NOTIFICATION, token=deployment.account.access_token)
    )
    seconds = time.perf_counter() - began
    if answer.status != 202:
        raise CheckFailedError("a notification is not answered 202")
    if seconds > EMPTY_ANSWER_SECONDS_MAX:
        raise CheckFailedError("the answer to a notification hangs")
    return f"{seconds:.1f} s"


def _message(deployment: Deployment, body: str, token: str = "") -> Question:
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": PROTOCOL_VERSION,
        **({"authorization": f"Bearer {token}"} if token else {}),
    }
    return Question(Door.MCP, deployment.mcp_path, "POST", headers, body)


PLATFORM_CHECKS: Final[dict[str, Callable[[Deployment], Awaitable[str]]]] = {
    "challenge_header": _challenge_header,
    "preflight": _preflight,
    "streams_are_refused": _streams_are_refused,
    "aliases_lead_to_the_issuer": _aliases_lead_to_the_issuer,
    "empty_answers_end": _empty_answers_end,
}
"""What depends on the platform in front of our code, more than on the code."""


async def smoke(mcp_url: str, session: CanarySession | None = None) -> list[Line]:
    """Every line of the report.

    Raises:
        CheckFailedError, NoAnswerError: the deployment does not say where its issuer is.
    """
    issuer_url = await _issuer_of(mcp_url)
    doors = HttpsDoors(issuer_url=issuer_url, mcp_url=mcp_url)
    account = None if session is None else session.account(time.time())
    deployment = Deployment(doors, issuer_url, mcp_url, account)
    return [*await _catalogue_lines(deployment, account), *await _platform_lines(deployment)]


async def _issuer_of(mcp_url: str) -> str:
    doors: Doors = HttpsDoors(issuer_url=mcp_url, mcp_url=mcp_url)
    path = f"/.well-known/oauth-protected-resource{urlsplit(mcp_url).path}"
    document = (await doors.ask(Question(Door.MCP, path))).json()
    servers = document.get("authorization_servers") if isinstance(document, dict) else None
    if not isinstance(servers, list) or len(servers) != 1:
        raise CheckFailedError("the address has no resource metadata that names an issuer")
    return str(servers[0])


async def _catalogue_lines(deployment: Deployment, account: CanaryAccount | None) -> list[Line]:
    findings = await run_checks(deployment)
    return [
        Line(finding.check.value, "NOT RUN", "needs --session")
        if account is None and finding.check in NEEDING_ACCOUNT
        else Line(
            finding.check.value,
            "ok" if finding.passed else "FAILED",
            finding.reason or f"{finding.milliseconds:.0f} ms",
        )
        for finding in findings
    ]


async def _platform_lines(deployment: Deployment) -> list[Line]:
    lines = []
    for name, check in PLATFORM_CHECKS.items():
        try:
            lines.append(Line(name, "ok", await check(deployment)))
        except NotRunError as error:
            lines.append(Line(name, "NOT RUN", str(error)))
        except CheckFailedError as error:
            lines.append(Line(name, "FAILED", str(error)))
        except NoAnswerError:
            lines.append(Line(name, "FAILED", "no answer"))
    return lines


def show(lines: Sequence[Line]) -> None:
    """Print the report."""
    for line in lines:
        print(f"{line.name:28}{line.verdict:9}{line.about}".rstrip())
    print(f"{len(lines)} checks, {sum(line.failed for line in lines)} failed")


def main(arguments: list[str] | None = None) -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/smoke")
    parser.add_argument("mcp_url", help="the deployment's MCP address (output McpUrl)")
    parser.add_argument("--session", type=Path, metavar="FILE", help="from scripts/canary_sign_in")
    given = parser.parse_args(arguments)
    session = None
    if given.session is not None:
        session = CanarySession.model_validate_json(given.session.read_text())
    try:
        lines = asyncio.run(smoke(given.mcp_url, session))
    except (CheckFailedError, NoAnswerError) as error:
        print(f"FAILED {given.mcp_url}: {error}")
        return 1
    show(lines)
    return 1 if any(line.failed for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
