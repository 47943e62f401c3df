"""One AWS service, called from async code: short timeouts, a deadline, few retries, own threads.

The SDK is synchronous. Its calls run in threads of their own, so that a service that hangs holds up
neither the event loop nor the calls to KMS. The SDK is imported with the first call: a process
that never needs it does not pay for it.
"""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from shared.errors.base import UnavailableError

if TYPE_CHECKING:
    import boto3

ServiceName = Literal["sqs", "dynamodb", "secretsmanager", "lambda", "codedeploy", "s3"]

ATTEMPTS_MAX: Final = 2
CONNECTIONS_MAX: Final = 8

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What one call may cost, in seconds; the deadline is over all its attempts."""

    connect_timeout_seconds: float
    read_timeout_seconds: float
    deadline_seconds: float


@functools.cache
def _session() -> "boto3.session.Session":
    """Keeps descriptions of services once they are read; looks for credentials when needed."""
    import boto3  # noqa: PLC0415 - with the first call, see above

    return boto3.session.Session()


def prepare(*services: ServiceName) -> None:
    """Read ahead what building the clients takes; opens nothing and looks for no credentials."""
    for service in services:
        _session().client(
            service,
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",  # noqa: S106 - stands for no credentials at all
        ).close()


class AwsService:
    """A client that is built at first use, and again after ``forget_client``."""

    def __init__(
        self, service: ServiceName, *, limits: CallLimits, error: type[UnavailableError]
    ) -> None:
        self._service = service
        self._limits = limits
        self._error = error
        self._built: Any = None
        self._building = threading.Lock()
        self._threads = ThreadPoolExecutor(CONNECTIONS_MAX, thread_name_prefix=service)

    async def call(self, request: Callable[[Any], _T], *, expected: tuple[str, ...] = ()) -> _T:
        """Run ``request`` with the client.

        Raises:
            UnavailableError: of the class given; the service is away, slow or refuses.
            ExpectedRefusalError: it refused with one of the ``expected`` codes.
        """
        context = contextvars.copy_context()
        running = asyncio.get_running_loop().run_in_executor(
            self._threads, context.run, self._run, request, expected
        )
        try:
            return await asyncio.wait_for(running, self._limits.deadline_seconds)
        except TimeoutError:
            raise self._error({"service": self._service, "error_type": "deadline"}) from None

    def forget_client(self) -> None:
        """Drop the client with its connections and credentials: a snapshot must not carry them."""
        with self._building:
            client, self._built = self._built, None
            _session.cache_clear()
        if client is not None:
            client.close()

    def _run(self, request: Callable[[Any], _T], expected: tuple[str, ...]) -> _T:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        try:
            return request(self._client())
        except ClientError as error:
            aws_code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if aws_code in expected:
                raise ExpectedRefusalError(aws_code) from None
            raise self._error({"service": self._service, "aws_code": aws_code}) from error
        except BotoCoreError as error:
            facts = {"service": self._service, "error_type": type(error).__name__}
            raise self._error(facts) from error

    def _client(self) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - as above

        with self._building:
            if self._built is None:
                self._built = _session().client(
                    self._service,
                    config=Config(
                        connect_timeout=self._limits.connect_timeout_seconds,
                        read_timeout=self._limits.read_timeout_seconds,
                        max_pool_connections=CONNECTIONS_MAX,
                        retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
                    ),
                )
            return self._built


class ExpectedRefusalError(Exception):
    """The service refused for a reason that the caller has foreseen."""
