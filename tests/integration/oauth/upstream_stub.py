"""Drupal's OAuth server as the flows see it: checks PKCE, hands out pairs, fails on demand."""

import secrets
from urllib.parse import urlencode

from shared.domain import pkce
from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import UpstreamSubject
from shared.errors.base import ServiceError
from shared.upstream.failures import CodeRejectedError

SITE = "https://drupal.example"


class UpstreamStub:
    """Across the network and not ours: the one part that tests replace."""

    def __init__(self) -> None:
        self.subject = "42"
        self.life_seconds = 3_600
        self.failure: ServiceError | None = None
        self.burn_failure: ServiceError | None = None
        self.challenges: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        self.issued: list[UpstreamPair] = []
        self.burnt: list[UpstreamPair] = []

    def authorization_url(self, *, state: str, code_verifier: str) -> str:
        """Remembers the challenge of each state, as the site would with its code."""
        self.challenges[state] = pkce.challenge_of(code_verifier)
        return f"{SITE}/oauth/authorize?{urlencode({'state': state})}"

    def consent(self, state: str) -> str:
        """The person signs in and agrees at the site; the site's code."""
        code = secrets.token_hex(8)
        self.codes[code] = self.challenges[state]
        return code

    async def redeem_code(
        self, code: str, *, code_verifier: str, timeout_seconds: float
    ) -> UpstreamPair:
        """A pair for a known code and the verifier that belongs to it."""
        assert timeout_seconds > 0
        if self.failure is not None:
            raise self.failure
        if not pkce.verifies(code_verifier, self.codes.pop(code, "")):
            raise CodeRejectedError
        pair = UpstreamPair(
            access_token=secrets.token_hex(16),
            refresh_token=secrets.token_hex(16),
            life_seconds=self.life_seconds,
            subject=UpstreamSubject(self.subject),
        )
        self.issued.append(pair)
        return pair

    async def burn(self, pair: UpstreamPair, *, timeout_seconds: float) -> None:
        """Remembers what was burnt."""
        assert timeout_seconds > 0
        self.burnt.append(pair)
        if self.burn_failure is not None:
            raise self.burn_failure
