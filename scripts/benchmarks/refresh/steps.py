"""The steps of one refresh, at which its process can be killed.

A kill is a real one: no ``finally`` runs, sockets close, a transaction that was open is rolled
back by the server.
"""

import os
import random
import signal
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """What has just happened, in the order in which it happens."""

    CLAIMING = "claim not committed yet"
    CLAIMED = "claim committed"
    REPLY_READ = "reply read"
    SEALED = "new pair sealed"
    STORING = "new pair not committed yet"
    STORED = "new pair committed"


WINDOW: Final = frozenset({Step.REPLY_READ, Step.SEALED, Step.STORING})
"""Between the site's answer and the first durable write: what dies here takes the pair with it,
unless the site gives the answer again."""


class Crashes:
    """Kills the process in a share of refreshes, at a step chosen by chance."""

    def __init__(
        self,
        chance: random.Random,
        *,
        share: float,
        steps: Collection[Step],
        last_words: Callable[[Step], None],
    ) -> None:
        self._chance = chance
        self._share = share
        self._steps = sorted(steps)
        self._last_words = last_words
        self._planned: Step | None = None
        self._replied = False

    def refresh_begins(self) -> None:
        """Decide whether this refresh dies, and where."""
        dies = self._steps and self._chance.random() < self._share
        self._planned = self._chance.choice(self._steps) if dies else None
        self._replied = False

    def passed(self, step: Step) -> None:
        """Die if this is the place."""
        self._replied = self._replied or step is Step.REPLY_READ
        if step is self._planned:
            self._last_words(step)
            os.kill(os.getpid(), signal.SIGKILL)

    def committing(self) -> None:
        """A transaction is about to be committed."""
        self.passed(Step.STORING if self._replied else Step.CLAIMING)

    def committed(self) -> None:
        """It was committed."""
        self.passed(Step.STORED if self._replied else Step.CLAIMED)
