"""Faults of the audit trail: a change without its event, months that are not made, no archive.

They move the database's clock by months, so they come last.
"""

from dataclasses import replace
from typing import Final

from scripts.alarm_faults.case import Case
from scripts.alarm_faults.town import Town, repeat

MONTH_SECONDS: Final = 31 * 86_400
EXPIRED_AFTER_MONTHS: Final = 40
_STRAY: Final = """
    INSERT INTO app.audit_events
    SELECT (jsonb_populate_record(one, jsonb_build_object(
               'event_id', gen_random_uuid(), 'sequence', one.sequence + 1000000,
               'occurred_at', now() + interval '20 years'))).*
      FROM app.audit_events AS one LIMIT 1
"""


async def unaudited_change(town: Town) -> None:
    """A client was written into the table past our code; it is three in the morning."""
    town.alter(
        "INSERT INTO app.clients (client_id, kind, client_name, redirect_uris, created_at)"
        " SELECT 'client_written_past_us', kind, client_name, redirect_uris,"
        " app.now() + interval '1 hour' FROM app.clients WHERE kind = 'dynamic' LIMIT 1"
    )
    town.clock_at(hour=3, minute=1)
    await town.tick("cleanup")
    town.alter("DELETE FROM app.clients WHERE client_id = 'client_written_past_us'")


async def month_is_missing(town: Town) -> None:
    """An event lies in a month for which nobody made a partition."""
    town.alter(_STRAY)
    try:
        await repeat(lambda: town.tick("cleanup"))
    finally:
        town.alter("DELETE FROM app.audit_events WHERE occurred_at > now() + interval '15 years'")


async def archive_is_gone(town: Town) -> None:
    """Months are over their time, and the archive's bucket is not there."""
    spec = town.specification("cleanup")
    without = {**spec.environment, "AUDIT_ARCHIVE_BUCKET": "nobodys-bucket"}
    await town.start_more(replace(spec, name="archiving", environment=without))
    town.move_clock(EXPIRED_AFTER_MONTHS * MONTH_SECONDS)
    town.callers.clear()
    await repeat(lambda: town.tick("archiving"))


async def _with_somebody(town: Town) -> None:
    await town.people(1)


CASES: Final = (
    Case(
        fault="a client was written into its table without an audit event",
        alarms=("AuditIncomplete",),
        plant=unaudited_change,
        factor=60.0,
    ),
    Case(
        fault="an audit event lies in no month's partition",
        alarms=("AuditUnpartitioned",),
        prepare=_with_somebody,
        plant=month_is_missing,
        factor=60.0,
    ),
    Case(
        fault="months of the audit trail are over their time, the archive is gone",
        alarms=("AuditNotArchived",),
        prepare=_with_somebody,
        plant=archive_is_gone,
        factor=60.0,
    ),
)
