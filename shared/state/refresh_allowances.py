"""How many background refreshes a site is asked for: a token bucket in the database.

After an outage or a mass expiry thousands of grants are due at once; the site gets them by and by.
Calls of people do not ask here.
"""

from dataclasses import dataclass
from typing import LiteralString

from shared.domain.refresh_times import SITE_REFRESH_TOKEN_SECONDS
from shared.state.database import Transaction

BURST_SECONDS = 60
"""What was not used in so long is there at once: the schedule comes once a minute."""

_ENSURE: LiteralString = """
    INSERT INTO app.refresh_allowances (site, tokens) VALUES (%(site)s, %(burst)s)
    ON CONFLICT (site) DO NOTHING
"""

_TAKE: LiteralString = """
    UPDATE app.refresh_allowances a
       SET tokens = f.tokens - least(floor(f.tokens), %(wanted)s), filled_at = app.now()
      FROM (SELECT site,
                   least(%(burst)s, tokens + %(per_second)s * greatest(
                       0, extract(epoch FROM app.now() - filled_at)::double precision)) AS tokens
              FROM app.refresh_allowances WHERE site = %(site)s FOR NO KEY UPDATE) AS f
     WHERE a.site = f.site
    RETURNING least(floor(f.tokens), %(wanted)s)::integer AS taken
"""

_GIVE_BACK: LiteralString = """
    UPDATE app.refresh_allowances SET tokens = tokens + %(unused)s WHERE site = %(site)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A site, the refreshes that it is asked for in the background, and for whom."""

    site: str
    per_second: float
    seen_within_seconds: float
    """People who have called within this time have their pairs refreshed ahead."""
    refresh_token_seconds: float = SITE_REFRESH_TOKEN_SECONDS
    """So long the site keeps a refresh token that nobody uses."""


async def take(tx: Transaction, pace: Pace, *, wanted: int) -> int:
    """Up to ``wanted`` refreshes that may begin now."""
    params = {
        "site": pace.site,
        "per_second": pace.per_second,
        "burst": pace.per_second * BURST_SECONDS,
        "wanted": wanted,
    }
    await tx.execute(_ENSURE, params)
    found = await tx.row(_TAKE, params)
    return 0 if found is None else int(found["taken"])


async def give_back(tx: Transaction, pace: Pace, *, unused: int) -> None:
    """Return what was taken and turned out not to be needed."""
    await tx.execute(_GIVE_BACK, {"site": pace.site, "unused": unused})
