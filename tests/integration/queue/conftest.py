"""Queues for each test, and answers that a test gives in place of the service."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from shared.aws_service import AwsService
from tests.support.queues import Queues, made_queues


@pytest.fixture
def queues(kms_endpoint: str) -> Iterator[Queues]:
    """Queues and a table at the run's played AWS."""
    with made_queues(kms_endpoint) as made:
        yield made


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


class Answers:
    """Stands between a client and its service; counts what is asked."""

    def __init__(self, service: AwsService, name: str) -> None:
        self.asked = 0
        self.given: list[tuple[int, dict[str, Any]]] = []
        events = service._client().meta.events
        events.register_first(f"before-send.{name}", self._before_send)

    def _before_send(self, request: Any, **_: object) -> AWSResponse | None:
        self.asked += 1
        if not self.given:
            return None
        status, body = self.given.pop(0)
        raw = _Body(json.dumps(body).encode())
        return AWSResponse(request.url, status, HTTPHeaders(), raw)
