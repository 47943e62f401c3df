"""Puts objects into a bucket that keeps them: its own rules lock each for a time.

Never asks for a lock itself and holds no right to lift one.
"""

import base64
import hashlib
from typing import Any, Final

from shared.aws_service import AwsService, CallLimits
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode

LIMITS: Final = CallLimits(
    connect_timeout_seconds=1.0, read_timeout_seconds=10.0, deadline_seconds=20.0
)


class ArchiveUnavailableError(UnavailableError):
    """The archive did not take an object; what was to go there stays where it is."""

    code = ErrorCode.ARCHIVE_UNAVAILABLE


class S3Archive:
    """One bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = AwsService("s3", limits=LIMITS, error=ArchiveUnavailableError)

    async def put(self, key: str, body: bytes, *, content_type: str) -> bytes:
        """Add an object; its SHA-256, which S3 has checked against what arrived.

        Raises:
            ArchiveUnavailableError: it was not taken.
        """
        sha256 = hashlib.sha256(body).digest()
        arguments: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": key,
            "Body": body,
            "ContentType": content_type,
            # A bucket with object lock takes nothing without a checksum.
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": base64.b64encode(sha256).decode(),
        }
        await self._s3.call(lambda s3: s3.put_object(**arguments))
        return sha256

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._s3.forget_client()
