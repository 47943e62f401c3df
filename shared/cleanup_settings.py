"""The settings of the cleanup alone: retention, the audit's archive, data keys."""

from pydantic import Field

from shared.settings_group import SettingsGroup


class CleanupSettings(SettingsGroup):
    """Retention, and the change of data keys."""

    data_key_generation_days: int = Field(
        default=30, ge=1, le=365, description="Age at which a data key gets a successor."
    )
    data_key_move_after_seconds: int = Field(
        default=86_400,
        ge=0,
        description="Age of a new data key from which on the cleanup moves pairs to it; before,"
        " they move with their refresh.",
    )
    audit_archive_bucket: str | None = Field(
        default=None,
        description="S3 bucket with object lock for the audit trail; empty: nothing of it is"
        " archived, and so no month of it is ever dropped.",
    )
    cleanup_batch_max: int = Field(
        default=1_000, gt=0, description="Most rows that one retention statement deletes."
    )
