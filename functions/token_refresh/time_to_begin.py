"""How late in an invocation a refresh may begin: none may be cut off by its end."""

from typing import Final

from shared.domain.refresh_times import REFRESH_DEADLINE_SECONDS

STORE_SECONDS: Final = 7.0
"""For storing Drupal's answer, and for telling how it went."""
BEGIN_SECONDS_MIN: Final = REFRESH_DEADLINE_SECONDS + STORE_SECONDS
"""Left of the invocation when a refresh begins: Drupal's time, and that of storing its answer."""
