"""The times of one refresh, which only work in their order: each must end before the next begins.

A worker's claim on Drupal's answer ends before its lease, so that nobody is asked twice at once;
the lease before the watchdog, so that the repeat finds the grant free; the watchdog before the
site forgets the answer it gave, so that the repeat gets the same one again.
"""

REFRESH_DEADLINE_SECONDS = 8
"""Drupal's answer has to be there by then."""
REFRESH_LEASE_SECONDS = 12
"""Nobody else asks Drupal about the same grant for so long."""
REFRESH_WATCHDOG_SECONDS = 15
"""After so long a refresh is repeated whose pair has not been stored: its worker may be dead."""
SITE_REPLAY_SECONDS = 60
"""A site with the buffer module for refresh tokens gives a lost answer again for so long."""
DOUBT_SECONDS_MAX = 120
"""A refusal is not believed for so long after an attempt whose outcome nobody knows."""
STORE_ACKNOWLEDGED_SECONDS = 0.5
"""A pair whose commit is not acknowledged by then is put into the second store as well."""

SITE_REFRESH_TOKEN_SECONDS = 14 * 86_400
"""Drupal's default life of a refresh token; each refresh begins it anew. A setting says what a
site's really is."""
KEEP_ALIVE_SECONDS = SITE_REFRESH_TOKEN_SECONDS // 2
"""A pair that nobody has needed for so long is refreshed, lest the site forget it."""
KEEP_ALIVE_JITTER_SECONDS_MAX = 43_200


def keep_alive_early_seconds(refresh_token_seconds: float) -> float:
    """How much earlier than ``KEEP_ALIVE_SECONDS`` says a site's pairs are to be kept alive.

    After half of its refresh tokens' life; negative where they live longer than by default.
    """
    return KEEP_ALIVE_SECONDS - refresh_token_seconds / 2
