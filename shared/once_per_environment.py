"""What a function is made of, built at its first invocation and anew after a restore.

Nothing unique or connected may live in a snapshot: it is taken before the first invocation, and
many environments wake up from it.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import snapshot_restore_py  # type: ignore[import-untyped] # ships no types

from shared import fresh_randomness  # noqa: F401 - registers what a restore begins with


class Parts(Protocol):
    """What a composition root builds."""

    def forget(self) -> None:
        """Drop connections and opened keys."""


P = TypeVar("P", bound=Parts)


class OncePerEnvironment(Generic[P]):
    """Call it for the parts; the first call builds them.

    ``prepare`` runs before a snapshot is taken, and only then: what all environments that wake up
    from it may share is done once.
    """

    def __init__(
        self, build: Callable[[], P], *, prepare: Callable[[], None] | None = None
    ) -> None:
        self._build = build
        self._parts: P | None = None
        if prepare is not None:
            snapshot_restore_py.register_before_snapshot(prepare)
        snapshot_restore_py.register_after_restore(self.forget)

    def __call__(self) -> P:
        """The parts of this environment; if building them fails, the next call tries again."""
        if self._parts is None:
            self._parts = self._build()
        return self._parts

    def forget(self) -> None:
        """After a restore: what was opened before belongs to another environment."""
        if self._parts is not None:
            self._parts.forget()
        self._parts = None
