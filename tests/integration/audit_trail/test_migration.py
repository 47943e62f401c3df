"""Events from before there were chains are linked; the release before goes on appending."""

import psycopg
from psycopg.conninfo import make_conninfo

from shared.state.migrator import all_migrations, migrate
from shared.state.roles import AppRole
from tests.integration.audit_trail.trail import found

CHAINS = "_audit_chains.sql"
APPEND_AS_BEFORE = (
    "SELECT app.audit_append(gen_random_uuid(), 'grant:ended', NULL, NULL, NULL, 'client', '{}')"
)


def test_events_from_before_the_chains_are_linked_and_older_code_appends_to_them(
    empty_database: str,
) -> None:
    every = all_migrations()
    place = next(n for n, one in enumerate(every) if one.name.endswith(CHAINS))
    migrate(empty_database, migrations=every[:place])
    with psycopg.connect(empty_database, autocommit=True) as owner:
        for months in (0, 0, 2):
            owner.execute(APPEND_AS_BEFORE)
            owner.execute(
                "UPDATE app.audit_events"
                " SET occurred_at = occurred_at - make_interval(months => %s)"
                " WHERE occurred_at > now() - interval '1 minute'",
                [months],
            )
        owner.execute("GRANT USAGE ON SCHEMA app TO app_oauth")
        owner.execute("GRANT EXECUTE ON FUNCTION app.audit_append TO app_oauth")

        migrate(empty_database)

        with psycopg.connect(make_conninfo(empty_database, user=AppRole.OAUTH.value)) as older:
            older.execute(APPEND_AS_BEFORE)
        rows = owner.execute("SELECT count(*) FROM app.audit_events").fetchone()
        strays = owner.execute("SELECT count(*) FROM app.audit_events_default").fetchone()

    assert (rows, strays) == ((4,), (0,))
    assert found(empty_database) == []
