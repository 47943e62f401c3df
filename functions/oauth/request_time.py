"""What the request under way has taken so far, as a part of its sign-in's time."""

from shared.domain.sign_ins import SpentTime
from shared.observability import stopwatch


def spent_time() -> SpentTime:
    """Up to now: the rest, a commit and the page, is not in a sign-in's time."""
    return SpentTime(*stopwatch.spent_milliseconds())
