"""Data keys from KMS: made and opened there, under a context that says what they are for.

Never keeps an opened key: that is the vault's cache.
"""

import asyncio
import functools
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics, recovery
from shared.observability.logging import log
from shared.observability.metrics import MetricName

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

ATTEMPTS_MAX: Final = 3
CONNECTIONS_MAX: Final = 4
DEPENDENCY: Final = "kms"
SEEN_SECONDS_MAX: Final = 60.0
"""For so long the end of a request says how KMS is."""

_KEY_ARN: Final = re.compile(r"arn:[^:]+:kms:[^:]+:\d+:key/.+")

_UNUSABLE: Final = frozenset(
    {
        "AccessDeniedException",
        "DisabledException",
        "IncorrectKeyException",
        "InvalidCiphertextException",
        "InvalidKeyUsageException",
        "KMSInvalidStateException",
        "NotFoundException",
    }
)
"""Answers that no retry changes: somebody has to repair the key or the permission."""

_T = TypeVar("_T")
Watch = Callable[[], AbstractAsyncContextManager[None]]
"""Watches one call; raises an ``UnavailableError`` where it must not go out."""


@functools.cache
def _session() -> boto3.session.Session:
    """Keeps the service's description once it is read; looks for credentials when needed."""
    return boto3.session.Session()


def prepare() -> None:
    """Read ahead what building a client takes; opens nothing and looks for no credentials."""
    _session().client(
        "kms",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - stands for no credentials at all
    ).close()


class KeyServiceUnavailableError(UnavailableError):
    """KMS did not give a key: it is away, throttled, or refuses the key itself."""

    code = ErrorCode.KEY_SERVICE_UNAVAILABLE


class KeyUnusableError(KeyServiceUnavailableError):
    """KMS refuses the key itself: waiting does not help, somebody has to repair it.

    Still an unavailability to everybody else: nobody is signed out for it.
    """

    code = ErrorCode.KEY_UNUSABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedDataKey:
    """A new 256-bit data key, in the open and wrapped."""

    plain_key: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    kms_key_id: str


class _Seen(NamedTuple):
    """How KMS was when it was asked last."""

    milliseconds: float
    at_monotonic: float
    failure: KeyServiceUnavailableError | None


class KmsDataKeys:
    """One KMS key. Its client is built at first use, and again after ``forget_client``."""

    def __init__(
        self,
        key_id: str,
        *,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        watch: Watch = nullcontext,
    ) -> None:
        self._key_id = key_id
        self._watch = watch
        self._region_name = region_name
        self._endpoint_url = endpoint_url
        # Restated, because the SDK's own defaults are sixty seconds.
        self._config = Config(
            connect_timeout=connect_timeout_seconds,
            read_timeout=read_timeout_seconds,
            max_pool_connections=CONNECTIONS_MAX,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
        )
        self._built: KMSClient | None = None
        self._seen: _Seen | None = None
        self._building = threading.Lock()

    async def generate(self, context: Mapping[str, str]) -> GeneratedDataKey:
        """Make a new data key.

        Raises:
            KeyServiceUnavailableError: KMS is away.
            KeyUnusableError: KMS refuses the key.
        """
        answer = await self._call(
            "generate",
            lambda client: client.generate_data_key(
                KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=dict(context)
            ),
        )
        return GeneratedDataKey(
            plain_key=answer["Plaintext"],
            wrapped_key=answer["CiphertextBlob"],
            kms_key_id=answer["KeyId"],
        )

    async def open(
        self, wrapped_key: bytes, *, kms_key_id: str, context: Mapping[str, str]
    ) -> bytes:
        """Unwrap a data key.

        Raises:
            KeyServiceUnavailableError: KMS is away.
            KeyUnusableError: KMS refuses the key or the context.
        """
        answer = await self._call(
            "open",
            lambda client: client.decrypt(
                CiphertextBlob=wrapped_key, KeyId=kms_key_id, EncryptionContext=dict(context)
            ),
        )
        return answer["Plaintext"]

    async def generate_wrapped(self, context: Mapping[str, str]) -> tuple[bytes, str]:
        """Make a new data key that nobody sees: its wrapped form, and the KMS key's ARN.

        Raises:
            KeyServiceUnavailableError: KMS is away.
            KeyUnusableError: KMS refuses the key.
        """
        answer = await self._call(
            "generate_wrapped",
            lambda client: client.generate_data_key_without_plaintext(
                KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=dict(context)
            ),
        )
        return answer["CiphertextBlob"], answer["KeyId"]

    async def rewrap(
        self, wrapped_key: bytes, *, kms_key_id: str, context: Mapping[str, str]
    ) -> tuple[bytes, str]:
        """Wrap a data key of ``kms_key_id`` under this KMS key: wrapped form and key's ARN.

        Raises:
            KeyServiceUnavailableError: KMS is away.
            KeyUnusableError: KMS refuses one of the two keys, or the context.
        """
        answer = await self._call(
            "rewrap",
            lambda client: client.re_encrypt(
                CiphertextBlob=wrapped_key,
                SourceKeyId=kms_key_id,
                SourceEncryptionContext=dict(context),
                DestinationKeyId=self._key_id,
                DestinationEncryptionContext=dict(context),
            ),
        )
        return answer["CiphertextBlob"], answer["KeyId"]

    async def key_arn(self) -> str:
        """The ARN of this KMS key; an alias is looked up, an ARN is not.

        Raises:
            KeyServiceUnavailableError: KMS is away.
            KeyUnusableError: there is no such key, or we may not know.
        """
        if _KEY_ARN.fullmatch(self._key_id):
            return self._key_id
        answer = await self._call(
            "describe", lambda client: client.describe_key(KeyId=self._key_id)
        )
        return answer["KeyMetadata"]["Arn"]

    def forget_client(self) -> None:
        """Drop the client with its connections and credentials: a snapshot must not carry them."""
        self._seen = None
        with self._building:
            client, self._built = self._built, None
            _session.cache_clear()
        if client is not None:
            client.close()

    async def look(self) -> float | None:
        """How long KMS took last, in milliseconds; None if it was not asked lately.

        Asks nothing: every request to KMS costs money.

        Raises:
            KeyServiceUnavailableError: how the last request ended.
        """
        seen = self._seen
        if seen is None or time.monotonic() - seen.at_monotonic > SEEN_SECONDS_MAX:
            return None
        if seen.failure is not None:
            raise seen.failure
        return seen.milliseconds

    async def _call(self, operation: str, request: Callable[["KMSClient"], _T]) -> _T:
        started = time.monotonic()
        failure: KeyServiceUnavailableError | None = None
        try:
            return await self._counted_call(operation, request)
        except KeyServiceUnavailableError as error:
            failure = type(error)(error.facts)
            raise
        finally:
            ended = time.monotonic()
            self._seen = _Seen((ended - started) * 1000, ended, failure)

    async def _counted_call(self, operation: str, request: Callable[["KMSClient"], _T]) -> _T:
        try:
            # A refusal of the circuit is told by it.
            async with self._watch():
                with recovery.watched(DEPENDENCY):
                    return await self._ask(operation, request)
        except KeyServiceUnavailableError:
            raise
        except UnavailableError as refusal:
            raise KeyServiceUnavailableError(
                refusal.facts, retry_after_seconds=refusal.retry_after_seconds
            ) from refusal

    async def _ask(self, operation: str, request: Callable[["KMSClient"], _T]) -> _T:
        try:
            answer = await asyncio.to_thread(lambda: request(self._client()))
            _whole(answer)
        except ClientError as error:
            raise _refused(operation, error) from error
        except (BotoCoreError, _ForeignAnswerError) as error:
            metrics.count(MetricName.KEY_SERVICE_CALLS, operation=operation, outcome="away")
            raise KeyServiceUnavailableError({"error_type": type(error).__name__}) from error
        metrics.count(MetricName.KEY_SERVICE_CALLS, operation=operation, outcome="ok")
        return answer

    def _client(self) -> "KMSClient":
        with self._building:
            if self._built is None:
                self._built = _session().client(
                    "kms",
                    region_name=self._region_name,
                    endpoint_url=self._endpoint_url,
                    config=self._config,
                )
            return self._built


class _ForeignAnswerError(Exception):
    """An answer with 200 that is not KMS's own, as of a proxy in between, or not all of it."""


def _whole(answer: object) -> None:
    """The SDK takes any body for an empty answer; KMS's own names the key that it is about."""
    about = answer.get("KeyMetadata", answer) if isinstance(answer, Mapping) else {}
    if "KeyId" not in about:
        raise _ForeignAnswerError


def _refused(operation: str, error: ClientError) -> KeyServiceUnavailableError:
    details: Mapping[str, Any] = error.response.get("Error", {})
    kms_code = str(details.get("Code", "unknown"))
    if kms_code not in _UNUSABLE:
        metrics.count(MetricName.KEY_SERVICE_CALLS, operation=operation, outcome="failed")
        return KeyServiceUnavailableError({"kms_code": kms_code})
    metrics.count(MetricName.KEY_SERVICE_CALLS, operation=operation, outcome="refused")
    metrics.count(MetricName.KEY_UNUSABLE)
    log.error("KMS refuses the key", kms_code=kms_code, operation=operation)
    return KeyUnusableError({"kms_code": kms_code})
