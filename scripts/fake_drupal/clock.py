"""The site's own clock, which a test can move; never read the real time elsewhere in the site."""

import time


class SiteClock:
    """Wall-clock seconds plus an offset."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0

    def now(self) -> float:
        """Seconds since the epoch, as the site sees them."""
        return time.time() + self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Let that many seconds pass at once."""
        self._offset_seconds += seconds

    def reset(self) -> None:
        """Back to the real time."""
        self._offset_seconds = 0.0
