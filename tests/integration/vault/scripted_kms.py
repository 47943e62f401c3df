"""A real client of a played KMS, whose answers a test can replace before they are asked for."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from shared.vault.kms_data_keys import KmsDataKeys
from tests.support.aws import REGION


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Faults:
    """What to answer instead of KMS: an exception, or an error code; None to let it answer."""

    answer: Exception | str | None = None
    times: int | None = None
    asked: list[str] = field(default_factory=list)

    def before_send(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:
        """As botocore calls it: an answer given here is taken for the service's."""
        self.asked.append(event_name.rsplit(".", 1)[-1])
        answer = self.answer
        if self.times is not None:
            self.times -= 1
            if self.times <= 0:
                self.answer, self.times = None, None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return None
        body = json.dumps({"__type": answer, "message": "canary of a message"}).encode()
        status = 500 if answer.endswith("InternalException") else 400
        return AWSResponse(request.url, status, HTTPHeaders(), _Body(body))


def data_keys_of(key_id: str, endpoint: str) -> KmsDataKeys:
    """The adapter with short timeouts."""
    return KmsDataKeys(
        key_id,
        connect_timeout_seconds=1,
        read_timeout_seconds=2,
        region_name=REGION,
        endpoint_url=endpoint,
    )


def scripted(kms: KmsDataKeys) -> Faults:
    """Faults for the client that ``kms`` has now."""
    faults = Faults()
    events: Any = kms._client().meta.events  # typed as if no hook could answer
    events.register_first("before-send.kms", faults.before_send)
    return faults
