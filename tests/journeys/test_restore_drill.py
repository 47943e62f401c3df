"""The drill of docs/disaster-recovery.md is a promise: a restore signs nobody out."""

from scripts.local_stack import restore_drill


async def test_people_are_still_signed_in_after_the_database_was_lost_and_restored() -> None:
    told: list[str] = []

    drilled = await restore_drill.run(tell=told.append)

    assert drilled.still_signed_in == drilled.people == 2
    assert not any("401" in line for line in told)
