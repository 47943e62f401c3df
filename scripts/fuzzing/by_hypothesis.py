"""Sends what Hypothesis makes up, batch by batch; one seed gives one sequence of requests."""

import time
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scripts.fuzzing.exchange import Door, NoAnswerError, Request
from scripts.fuzzing.tally import Tally

REQUESTS_MAX: Final = 100
"""Of one batch."""


class _TimeIsOverError(Exception):
    pass


def send_batch(
    strategy: st.SearchStrategy[Request],
    number: int,
    door: Door,
    *,
    tally: Tally,
    ends_at: float,
    requests_max: int = REQUESTS_MAX,
) -> None:
    """Send the batch of that number, or as much of it as can be sent before ``ends_at``.

    By the monotonic clock; an answer that is awaited then is still read.
    """

    @seed(number)
    @settings(
        max_examples=requests_max,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(request: Request) -> None:
        if time.monotonic() >= ends_at:
            raise _TimeIsOverError
        _send(request, door, tally)

    try:
        one()
    except _TimeIsOverError:
        return


def _send(request: Request, door: Door, tally: Tally) -> None:
    try:
        answer = door.send(request)
    except NoAnswerError as error:
        tally.find(f"no answer: {error}", request)
    else:
        tally.add(request, answer)
