"""The canary's session: what is kept of it, and the secret that keeps it.

A refresh token is worth an account, if only one made for checks: it is in a secret of its own, and
a new one is stored before it is used.
"""

import json
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from shared.aws_service import AwsService, CallLimits
from shared.checks.catalogue import CanaryAccount
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode

SECRET_LIMITS: Final = CallLimits(
    connect_timeout_seconds=1.0, read_timeout_seconds=3.0, deadline_seconds=8.0
)


class SecretsUnavailableError(UnavailableError):
    """The secret could not be read or written now."""

    code = ErrorCode.KEY_SERVICE_UNAVAILABLE


class NoSessionError(Exception):
    """The secret holds no session of the canary: sign it in (docs/runbooks/canary.md)."""


class CanarySession(BaseModel):
    """What the secret holds, as JSON; times are seconds since 1970 by the canary's clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str
    redirect_uri: str
    access_token: SecretStr
    access_ends_at: float
    refresh_token: SecretStr
    former_access_token: SecretStr | None = None
    former_ends_at: float = Field(default=0.0)

    def account(self, now: float) -> CanaryAccount:
        """What checks need of it; the token before only once its life is over."""
        former = self.former_access_token
        return CanaryAccount(
            client_id=self.client_id,
            redirect_uri=self.redirect_uri,
            access_token=self.access_token.get_secret_value(),
            former_access_token=former.get_secret_value()
            if former is not None and now > self.former_ends_at
            else None,
        )

    def to_json(self) -> str:
        """As it is kept, tokens in the clear: for the secret only."""
        plain = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self
        }
        return json.dumps(plain)


class SessionStore(Protocol):
    """Where the session is between two rounds."""

    async def load(self) -> CanarySession:
        """The session kept last.

        Raises:
            NoSessionError, UnavailableError
        """

    async def keep(self, session: CanarySession) -> None:
        """Keep another one.

        Raises:
            UnavailableError: it may or may not be kept.
        """


class SecretsManagerSession:
    """The session in one secret of AWS Secrets Manager."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id
        self._service = AwsService(
            "secretsmanager", limits=SECRET_LIMITS, error=SecretsUnavailableError
        )

    async def load(self) -> CanarySession:
        """Read it.

        Raises:
            NoSessionError: what is there is none.
            SecretsUnavailableError: the service does not answer.
        """
        answer = await self._service.call(
            lambda client: client.get_secret_value(SecretId=self._secret_id)
        )
        try:
            return CanarySession.model_validate_json(answer.get("SecretString", ""))
        except ValidationError:
            # Its text quotes what is there.
            raise NoSessionError from None

    async def keep(self, session: CanarySession) -> None:
        """Write it.

        Raises:
            SecretsUnavailableError: the service does not answer.
        """
        await self._service.call(
            lambda client: client.put_secret_value(
                SecretId=self._secret_id, SecretString=session.to_json()
            )
        )

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._service.forget_client()
