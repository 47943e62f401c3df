"""Times without a setting: short where a test would wait, long where a busy machine would fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, Literal

import boto3
import pytest

from shared import assembly
from shared.circuit import guard as guard_module
from shared.circuit.guard import CircuitGuard
from shared.circuit.rules import CircuitRules
from shared.state import circuits
from shared.vault import kms_data_keys
from shared.workflows import readiness

HANG_SECONDS: Final = 0.4
"""What a part that hangs is waited for."""
HANG_IS_SLOW_SECONDS: Final = 0.2
"""From then on a call to a part that hangs is slow: half of its time, as in production."""
REFRESH_SECONDS: Final = 2.0
"""The deadline of a refresh: half of it may go by before the site is asked."""
PATIENT_SECONDS: Final = 5.0


def quick(rules: CircuitRules) -> CircuitRules:
    """The same with less patience, as the timeouts of a row in which something hangs."""
    return replace(
        rules, slow_call_seconds=HANG_IS_SLOW_SECONDS, slow_window_seconds=HANG_IS_SLOW_SECONDS
    )


class _SharedClients:
    """The SDK's session, whose clients serve all environments: making one costs ten calls."""

    def __init__(self) -> None:
        self._session = boto3.session.Session()
        self._made: dict[tuple[float, ...], Any] = {}

    def __call__(self) -> "_SharedClients":
        """As the function that keeps a session for each environment."""
        return self

    def cache_clear(self) -> None:
        """An environment ends; the clients go on for the next one."""

    def client(self, service: Literal["kms"], *, config: Any, **more: Any) -> Any:
        """One for each choice of timeouts."""
        key = (config.connect_timeout, config.read_timeout)
        if key not in self._made:
            self._made[key] = self._session.client(service, config=config, **more)
        return self._made[key]


@contextmanager
def impatience(kms_url: str, guard_of: Callable[..., CircuitGuard]) -> Iterator[None]:
    """What has no setting of its own: the way to KMS, its SDK's tries, the circuits' time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_KMS", kms_url)
        patch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)
        patch.setattr(kms_data_keys, "_session", _SharedClients())
        patch.setattr(assembly, "CircuitGuard", guard_of)
        # Short so that nobody waits for them; on a busy machine they would end too early.
        patch.setattr(guard_module, "SETTLE_SECONDS_MAX", PATIENT_SECONDS)
        patch.setattr(circuits, "STORE_SECONDS_MAX", PATIENT_SECONDS)
        patch.setattr(readiness, "LOOK_SECONDS_MAX", PATIENT_SECONDS)
        yield
