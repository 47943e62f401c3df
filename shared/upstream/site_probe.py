"""A look at the site without anybody's token: whether an address answers at all.

Never says what the site's answer was, and asks nothing that the site would have to work for.
"""

import time
from typing import Final

from shared.observability.spans import SpanName
from shared.upstream.classification import PROBE_RULES, first_failure
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.transport import PooledTransport, TransportLimits, observed

PROBE_SECONDS_MAX: Final = 1.0


class SiteProbe:
    """One address of the site; any answer that is no outage is a sign of life."""

    def __init__(
        self, site: DrupalSite, path: str, *, operation: str, limits: TransportLimits
    ) -> None:
        self._url = site.url(path)
        self._operation = operation
        self._transport = PooledTransport(limits)

    async def look(self) -> float:
        """The milliseconds until the answer.

        Raises:
            UpstreamUnavailableError: the site is away, busy, or in maintenance.
        """
        started = time.perf_counter()
        with observed(SpanName.UPSTREAM_PROBE, self._operation):
            answer = await self._transport.get(
                self._url, headers={}, timeout_seconds=PROBE_SECONDS_MAX
            )
            failure = first_failure(PROBE_RULES, answer)
            if failure is not None:
                raise failure
        return (time.perf_counter() - started) * 1000

    async def close(self) -> None:
        """Close the connection, where a process ends in good order."""
        await self._transport.close()

    def drop_connections(self) -> None:
        """Forget connections after a restore from a snapshot."""
        self._transport.drop_connections()
