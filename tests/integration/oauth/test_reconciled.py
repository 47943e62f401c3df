"""What people do through the authorization server leaves nothing for the nightly comparison."""

from functions.cleanup.audit_reconciliation import AuditReconciliation
from shared.state.database import Database, Transaction
from tests.integration.oauth.driver import Driver
from tests.support.clock import DatabaseClock

MINUTES_10 = 600


async def at_night(_tx: Transaction) -> tuple[int, int]:
    return 3, 0


async def test_a_whole_story_has_all_its_events(
    driver: Driver, database_url: str, clock: DatabaseClock
) -> None:
    tokens = await driver.tokens()
    second = (await driver.refresh(tokens["refresh_token"])).json()
    revoked = await driver.http.post(
        "/revoke", data={"token": second["refresh_token"], "client_id": driver.client_id}
    )
    clock.advance(MINUTES_10)
    database = Database(database_url)

    done = await AuditReconciliation(database, time_of_day=at_night).run()
    await database.close()

    assert revoked.status_code == 200
    # Client, data key, grant, code, refresh, and the end of grant and session.
    assert done["changes_audited"] == 7
    assert done["changes_not_audited"] == 0
