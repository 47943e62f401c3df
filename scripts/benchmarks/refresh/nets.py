"""The nets of a refresh, for a process of a measurement.

The watchdog is a stand-in for the delayed queue message, with the delay in the world's fast time;
the second store is the real one, on a played DynamoDB.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.refresh.kennel import DatagramWatchdog
from shared.queue.pair_spill import DynamoDbPairSpill
from shared.workflows.safety_nets import NO_NETS, SafetyNets


@dataclass(frozen=True, slots=True, kw_only=True)
class Nets:
    """Where a process finds its nets: both, or none."""

    kennel: Path | None = None
    spill_table: str | None = None


@contextlib.contextmanager
def opened_nets(nets: Nets) -> Iterator[SafetyNets]:
    """The nets, closed afterwards."""
    if nets.kennel is None or nets.spill_table is None:
        yield NO_NETS
        return
    with DatagramWatchdog(nets.kennel) as watchdog:
        yield SafetyNets(watchdog=watchdog, spill=DynamoDbPairSpill(nets.spill_table))
