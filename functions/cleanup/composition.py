"""Plugs the real adapters of the cleanup together; opens no connection itself."""

from dataclasses import dataclass

from functions.cleanup.audit_archive import AuditArchive
from functions.cleanup.audit_reconciliation import AuditReconciliation
from functions.cleanup.housekeeping import Housekeeping
from functions.cleanup.key_rotation import KeyRotation
from functions.cleanup.live_counts import LiveCounts
from functions.cleanup.security_watch import SecurityWatch
from functions.cleanup.usage_rollups import UsageRollUps
from shared.archive.object_archive import S3Archive
from shared.assembly import OpenedAdapters, oauth_of, opened_adapters, opened_spill
from shared.observability import request_context
from shared.queue.pair_spill import DynamoDbPairSpill
from shared.settings import CleanupFunctionSettings
from shared.vault.data_key_changes import DataKeyChanges
from shared.workflows.discard_pair import DiscardedPairDrainer
from shared.workflows.drain_outbox import OutboxDrainer
from shared.workflows.erase_person import PendingErasures
from shared.workflows.settle_spilled_pairs import SpilledPairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a tick works with, and what must be forgotten after a restore."""

    housekeeping: Housekeeping
    opened: OpenedAdapters
    spill: DynamoDbPairSpill | None
    archive: S3Archive | None

    def forget(self) -> None:
        """Drop connections and opened keys."""
        self.opened.forget()
        for store in (self.spill, self.archive):
            if store is not None:
                store.forget_client()


def _key_rotation(opened: OpenedAdapters, settings: CleanupFunctionSettings) -> KeyRotation:
    return KeyRotation(
        opened.database,
        opened.vault,
        DataKeyChanges(opened.kms, stage=settings.stage),
        generation_days=settings.data_key_generation_days,
        move_after_seconds=settings.data_key_move_after_seconds,
        seconds_left=request_context.remaining_seconds,
    )


def compose(settings: CleanupFunctionSettings) -> Parts:
    """Build every adapter from ``settings``."""
    opened = opened_adapters(settings)
    oauth = oauth_of(settings, opened.circuits)
    spill = opened_spill(settings)
    bucket = settings.audit_archive_bucket
    archive = None if bucket is None else S3Archive(bucket)
    late = None
    if spill is not None:
        late = SpilledPairs(
            opened.database, opened.vault, spill, seconds_left=request_context.remaining_seconds
        )
    housekeeping = Housekeeping(
        opened.database,
        OutboxDrainer(opened.database, opened.vault, oauth, late_pairs=late),
        DiscardedPairDrainer(opened.database, opened.vault, oauth),
        batch_max=settings.cleanup_batch_max,
        seconds_left=request_context.remaining_seconds,
        first=() if late is None else (late,),
        chores=(
            PendingErasures(opened.database),
            _key_rotation(opened, settings),
            AuditReconciliation(opened.database),
            UsageRollUps(opened.database, seconds_left=request_context.remaining_seconds),
            SecurityWatch(opened.database),
            LiveCounts(opened.database),
            AuditArchive(opened.database, archive, seconds_left=request_context.remaining_seconds),
        ),
    )
    return Parts(housekeeping=housekeeping, opened=opened, spill=spill, archive=archive)
