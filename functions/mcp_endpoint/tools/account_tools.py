"""``account_status``: who is signed in through which client, and whether anything needs doing.

Never calls the site and never shows a token: it tells what the database knew a moment ago.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import Field

from functions.mcp_endpoint.tools.definitions import (
    ToolArguments,
    ToolDefinition,
    ToolOutput,
    ToolResult,
)
from shared.domain.grants import AuthenticatedCall, GrantStatus
from shared.domain.scopes import SCOPE_TEXTS, SCOPES_OFFERED, Scope

_READY = "Nothing: everything works."
_SUSPENDED = (
    "The site did not accept this account lately. Check on the site that the account is active; "
    "the next tool call tries again. If that does not help, sign in again."
)
_MORE_SCOPES = "To use every tool, sign in again and allow all permissions."


class StatusArguments(ToolArguments):
    """``account_status`` takes no arguments."""


class StatusOutput(ToolOutput):
    """Structured content of ``account_status``."""

    account_id: str = Field(description="The person's id at the site.")
    client_name: str = Field(description="The application that is connected.")
    scopes: list[str] = Field(description="Permissions given to this application.")
    tools: list[str] = Field(description="This server's own tools that these permissions allow.")
    session_expires_at: datetime = Field(description="When a new sign-in will be needed.")
    site_connection: Literal["ready", "suspended"] = Field(
        description="Whether calls to the site are expected to work."
    )
    what_to_do: str = Field(description="The next step, if one is needed.")


class AccountTools:
    """The tool over what the bearer check has read."""

    def __init__(
        self,
        *,
        names_for: Callable[[tuple[str, ...]], tuple[str, ...]],
        scopes_offered: tuple[str, ...] = SCOPES_OFFERED,
    ) -> None:
        self._names_for = names_for
        self._scopes_offered = scopes_offered

    async def status(self, call: AuthenticatedCall, _arguments: StatusArguments) -> ToolResult:
        """Describe the account."""
        suspended = call.grant.status is GrantStatus.SUSPENDED
        output = StatusOutput(
            account_id=call.grant.subject,
            client_name=call.client_name,
            scopes=list(call.scopes),
            tools=list(self._names_for(call.scopes)),
            session_expires_at=call.session_expires_at,
            site_connection="suspended" if suspended else "ready",
            what_to_do=self._what_to_do(call, suspended=suspended),
        )
        return ToolResult(text=_text(output), structured=output)

    def _what_to_do(self, call: AuthenticatedCall, *, suspended: bool) -> str:
        if suspended:
            return _SUSPENDED
        return _READY if set(self._scopes_offered) <= set(call.scopes) else _MORE_SCOPES


def _text(output: StatusOutput) -> str:
    permissions = "; ".join(SCOPE_TEXTS[scope] for scope in Scope if scope.value in output.scopes)
    return "\n".join(
        (
            f"Signed in as account {output.account_id} through {output.client_name}.",
            "",
            f"- Permissions: {permissions or 'none'}",
            f"- Tools: {', '.join(output.tools)}",
            f"- Connection to the site: {output.site_connection}",
            f"- Next sign-in needed at the latest: {output.session_expires_at:%Y-%m-%d %H:%M} UTC",
            f"- What to do: {output.what_to_do}",
        )
    )


def status_definition(tools: AccountTools) -> ToolDefinition:
    """The tool's entry."""
    return ToolDefinition(
        name="account_status",
        title="Account status",
        description=(
            "Tells who is signed in, with which permissions, until when, and what to do if "
            "something is wrong. Use it when another tool asks to sign in or refuses access."
        ),
        scope=None,
        arguments=StatusArguments,
        output=StatusOutput,
        run=tools.status,
        limit=None,
    )
