"""The site's OAuth server, seen as its client: sign-in, refresh, and giving tokens back.

Every exchange has a connection of its own: a refresh sent on a connection that dies under it
leaves in doubt whether the pair still lives. Nothing here is retried.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from authlib.integrations.httpx_client import (  # type: ignore[import-untyped]  # ships no types
    AsyncOAuth2Client,
)
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]  # ships no types
from pydantic import ValidationError

from shared.domain.grants import UpstreamPair, sane_life_seconds
from shared.domain.identifiers import UpstreamSubject
from shared.errors.base import ServiceError
from shared.observability.logging import log
from shared.observability.spans import SpanName
from shared.upstream import failures
from shared.upstream.answers import Answer
from shared.upstream.classification import (
    TokenRequest,
    protected_failure,
    revoke_failure,
    token_failure,
)
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.transport import (
    USER_AGENT,
    CappedTransport,
    TransportLimits,
    as_answer,
    map_httpx_errors,
    observed,
    timeouts,
    within,
)
from shared.upstream.watching import Watch, unwatched, watched
from shared.upstream.wire import TokenAnswer, UserInfo, unverified_claims

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
AUTHORIZE_PATH = "/oauth/authorize"
REVOKE_PATH = "/oauth/revoke"
# RFC 6749 appendix A.11. Browsers bring anything, and encoders below fail on some of it.
_VISIBLE_TEXT = re.compile(r"[\x20-\x7e]+")
_ACCESS_TOKEN_HINT = "access_token"  # noqa: S105 - a word of RFC 7009
USERINFO_PATH = "/oauth/userinfo?_format=json"


class _CheckedAnswer:
    """A token answer that has passed our own reading, in the shape that Authlib goes on with."""

    status_code = 200

    def __init__(self, token: TokenAnswer) -> None:
        self._token = token

    def json(self) -> dict[str, Any]:
        """The members with sane values: Authlib fails on an ``expires_in`` that is no number."""
        life_seconds = sane_life_seconds(self._token.expires_in)
        return {**self._token.model_dump(exclude_none=True), "expires_in": life_seconds}


def _check(request: TokenRequest) -> Callable[[httpx2.Response], _CheckedAnswer]:
    def hook(response: httpx2.Response) -> _CheckedAnswer:
        answer = as_answer(response)
        failure = token_failure(request, answer)
        if failure is not None:
            raise failure
        return _CheckedAnswer(_token_answer(answer))

    return hook


def _token_answer(answer: Answer) -> TokenAnswer:
    try:
        return TokenAnswer.model_validate(answer.json_object)
    except ValidationError:
        # Not chained: the error's context would hold the answer.
        raise failures.UpstreamAnswerInvalidError({"upstream_status": answer.status}) from None


class DrupalOAuth:
    """simple_oauth in both of its dialects (5.x and 6.x)."""

    def __init__(
        self,
        site: DrupalSite,
        *,
        limits: TransportLimits | None = None,
        watch: Watch = unwatched,
    ) -> None:
        self._site = site
        self._watch = watch
        self._limits = limits or TransportLimits()
        self._method = "client_secret_post" if site.client_secret else "none"

    def authorization_url(self, *, state: str, code_verifier: str) -> str:
        """Where the person's browser goes to sign in at the site (RFC 6749 section 4.1.1).

        With PKCE S256 (RFC 7636 section 4.3), although the site would accept less.
        """
        client = OAuth2Client(
            None,
            client_id=self._site.client_id,
            redirect_uri=self._site.redirect_uri,
            scope=" ".join(self._site.scopes),
            code_challenge_method="S256",
        )
        url, _ = client.create_authorization_url(
            self._site.url(AUTHORIZE_PATH), state=state, code_verifier=code_verifier
        )
        return str(url)

    async def redeem_code(
        self, code: str, *, code_verifier: str, timeout_seconds: float
    ) -> UpstreamPair:
        """Exchange an authorization code (RFC 6749 section 4.1.3).

        Raises:
            CodeRejectedError: the code, its verifier or its redirect does not fit.
            UpstreamMisconfiguredError: the site refuses our client.
            UpstreamUnavailableError: any outage; ``sent`` tells whether the code may be used up.
        """
        if _VISIBLE_TEXT.fullmatch(code) is None:
            raise failures.CodeRejectedError({"rule": "characters"})
        return await self._token(
            TokenRequest.CODE,
            lambda client: client.fetch_token(
                self._site.url(TOKEN_PATH),
                grant_type="authorization_code",
                code=code,
                code_verifier=code_verifier,
            ),
            timeout_seconds=timeout_seconds,
        )

    async def refresh(self, refresh_token: str, *, timeout_seconds: float) -> UpstreamPair:
        """Exchange a refresh token (RFC 6749 section 6). The site revokes the old pair at once.

        The subject is empty where the new token does not tell it: asking for it could fail, and
        the only live pair would be lost.

        Raises:
            RefreshRejectedError: the site does not accept the token.
            UpstreamMisconfiguredError: the site refuses our client.
            UpstreamUnavailableError: any outage; with ``sent`` the pair may have been rotated.
        """
        return await self._token(
            TokenRequest.REFRESH,
            lambda client: client.refresh_token(
                self._site.url(TOKEN_PATH), refresh_token=refresh_token
            ),
            timeout_seconds=timeout_seconds,
        )

    async def burn(self, pair: UpstreamPair, *, timeout_seconds: float) -> None:
        """Make a pair worthless: rotate it once, revoke the new access token, keep nothing.

        A client cannot revoke a refresh token at the site, and its revocation endpoint knows an
        access token by its ``jti`` only: posting the token itself answers 200 and does nothing.

        Raises:
            UpstreamUnavailableError, UpstreamMisconfiguredError: not done; try again later.
        """
        last = pair
        if pair.refresh_token is not None:
            try:
                last = await self.refresh(pair.refresh_token, timeout_seconds=timeout_seconds)
            except failures.RefreshRejectedError:
                log.info("refresh part of the pair was worthless already")
        jti = unverified_claims(last.access_token).jti
        if jti is not None:
            await self._revoke(jti, timeout_seconds=timeout_seconds)

    async def _revoke(self, jti: str, *, timeout_seconds: float) -> None:
        async def exchange() -> None:
            async with self._client(timeout_seconds) as client:
                response = await client.revoke_token(
                    self._site.url(REVOKE_PATH), token=jti, token_type_hint=_ACCESS_TOKEN_HINT
                )
                _refuse(revoke_failure(as_answer(response)))

        async with watched(self._watch, "revoke", timeout_seconds=timeout_seconds):
            with observed(SpanName.UPSTREAM_OAUTH, "revoke"), map_httpx_errors():
                await within(exchange(), timeout_seconds)

    async def _token(
        self,
        request: TokenRequest,
        ask: Callable[[Any], Awaitable[Any]],
        *,
        timeout_seconds: float,
    ) -> UpstreamPair:
        async def exchange() -> UpstreamPair:
            async with self._client(timeout_seconds) as client:
                hook = _check(request)
                client.register_compliance_hook("access_token_response", hook)
                client.register_compliance_hook("refresh_token_response", hook)
                token = dict(await ask(client))
                subject = unverified_claims(token["access_token"]).sub
                if subject is None and request is TokenRequest.CODE:
                    subject = await self._subject(client, token["access_token"])
                return UpstreamPair(
                    access_token=token["access_token"],
                    refresh_token=token.get("refresh_token"),
                    life_seconds=token["expires_in"],
                    subject=UpstreamSubject(subject or ""),
                )

        async with watched(self._watch, request.value, timeout_seconds=timeout_seconds):
            with observed(SpanName.UPSTREAM_OAUTH, request.value), map_httpx_errors():
                return await within(exchange(), timeout_seconds)

    async def _subject(self, client: Any, access_token: str) -> str:
        """Whose token it is, asked of the site: for sites whose tokens do not say."""
        response = await client.request(
            "GET",
            self._site.url(USERINFO_PATH),
            headers={"Authorization": f"Bearer {access_token}"},
            withhold_token=True,
        )
        answer = as_answer(response)
        _refuse(protected_failure(answer))
        subject = UserInfo.model_validate(answer.json_object or {}).sub
        if subject is None:
            raise failures.UpstreamAnswerInvalidError({"upstream_status": answer.status})
        return subject

    def _client(self, timeout_seconds: float) -> Any:
        return AsyncOAuth2Client(
            client_id=self._site.client_id,
            client_secret=self._site.client_secret,
            token_endpoint_auth_method=self._method,
            revocation_endpoint_auth_method=self._method,
            redirect_uri=self._site.redirect_uri or None,
            transport=CappedTransport(self._limits, connections_max=1),
            timeout=timeouts(self._limits, timeout_seconds),
            headers={"User-Agent": USER_AGENT},
            follow_redirects=False,
            trust_env=False,
        )


def _refuse(failure: ServiceError | None) -> None:
    if failure is not None:
        raise failure
