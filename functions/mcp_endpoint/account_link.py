"""The way to the account page inside a call, where Drupal refuses a person whose session lives.

The link is the same for everybody and carries nothing: whoever opens it signs in with their own
account. Which clients can show one is declared per request since 2026-07-28; before, when a client
introduces itself, which is remembered with its session.
"""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Final, Protocol

from mcp import UrlElicitationRequiredError
from mcp.server.context import ServerRequestContext
from mcp_types import (
    CallToolRequestParams,
    ClientCapabilities,
    ElicitRequest,
    ElicitRequestURLParams,
    InputRequiredResult,
)
from pydantic import ValidationError

from functions.mcp_endpoint.messages import IncomingMessage
from shared.domain.account_page import account_check_url
from shared.domain.grants import AuthenticatedCall
from shared.domain.identifiers import SessionId
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.observability.logging import log

ABILITIES_SECONDS_MAX: Final = 1.0
"""So long is waited for what a client can do, or for remembering it: no call fails for that."""
INPUT_KEY: Final = "account"
_BY_ERROR: Final = "2025-11-25"
"""The one revision that asks by an error (-32042)."""
_BY_RESULT_SINCE: Final = "2026-07-28"
_INTRODUCTION: Final = "initialize"


class SessionAbilities(Protocol):
    """What the client of a session has declared."""

    async def remember(self, session_id: SessionId, *, url_elicitation: bool) -> None:
        """Keep it for the session's later requests."""

    async def url_elicitation(self, session_id: SessionId) -> bool:
        """Whether the client can show a person a link; False if it never said."""


class AccountLinks:
    """Offers the link to clients that can show it."""

    def __init__(self, *, issuer: str, site_name: str, abilities: SessionAbilities) -> None:
        self.url = account_check_url(issuer)
        self._text = (
            f"{site_name} does not accept your account at the moment. Sign in there to see why, "
            "then ask again."
        )
        self._abilities = abilities

    async def introduced(self, message: IncomingMessage, call: AuthenticatedCall) -> None:
        """Remember what a client of the 2025 revisions says of itself."""
        if message.method != _INTRODUCTION:
            return
        able = _declares(message.params.get("capabilities"))
        try:
            async with asyncio.timeout(ABILITIES_SECONDS_MAX):
                await self._abilities.remember(call.session_id, url_elicitation=able)
        except (ServiceError, TimeoutError) as error:
            log.warning("abilities of a client not remembered", error_type=type(error).__name__)

    async def instead_of(
        self,
        failure: ServiceError,
        *,
        call: AuthenticatedCall,
        context: ServerRequestContext[Any, Any],
        params: CallToolRequestParams,
    ) -> InputRequiredResult | None:
        """What asks the person to sign in, in place of the tool's error; None for the error.

        Never asked twice for one refusal: whoever was asked and comes back has opened the page at
        best.

        Raises:
            UrlElicitationRequiredError: the same, in the terms of 2025-11-25 (-32042).
        """
        if failure.code is not ErrorCode.ACCOUNT_UNAVAILABLE:
            return None
        if context.protocol_version >= _BY_RESULT_SINCE:
            asked = params.input_responses is not None
            able = _has_url(context.session.client_capabilities)
            return self._input_required() if able and not asked else None
        # Nothing tells a repeated call from a new one: only who was refused by the site is asked.
        fresh = not failure.facts.get("suspended")
        if context.protocol_version == _BY_ERROR and fresh and await self._remembered(call):
            elicitation_id = str(uuid.uuid4())
            raise UrlElicitationRequiredError([self._link(elicitation_id)], self._text)
        return None

    def _input_required(self) -> InputRequiredResult:
        return InputRequiredResult(input_requests={INPUT_KEY: ElicitRequest(params=self._link())})

    def _link(self, elicitation_id: str | None = None) -> ElicitRequestURLParams:
        return ElicitRequestURLParams(
            message=self._text, url=self.url, elicitation_id=elicitation_id
        )

    async def _remembered(self, call: AuthenticatedCall) -> bool:
        try:
            async with asyncio.timeout(ABILITIES_SECONDS_MAX):
                return await self._abilities.url_elicitation(call.session_id)
        except (ServiceError, TimeoutError) as error:
            log.warning("abilities of a client not known", error_type=type(error).__name__)
            return False


def _declares(capabilities: object) -> bool:
    """Whether ``capabilities`` as received promise links; nonsense promises nothing."""
    if not isinstance(capabilities, Mapping):
        return False
    try:
        return _has_url(ClientCapabilities.model_validate(capabilities))
    except ValidationError:
        return False


def _has_url(capabilities: ClientCapabilities | None) -> bool:
    elicitation = None if capabilities is None else capabilities.elicitation
    return elicitation is not None and elicitation.url is not None
