import boto3
import psycopg
import pytest

from tests.support.clock import DatabaseClock


def _add_client(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "INSERT INTO app.clients (client_id, kind, client_name, redirect_uris)"
            " VALUES ('c', 'dynamic', 'n', ARRAY['http://127.0.0.1/cb'])"
        )


def _clients(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM app.clients").fetchone()
        assert row is not None
        return int(row[0])


def test_a_test_finds_a_migrated_database_without_rows(database_url: str) -> None:
    assert _clients(database_url) == 0
    _add_client(database_url)


def test_the_next_test_finds_no_rows_either(database_url: str) -> None:
    assert _clients(database_url) == 0
    _add_client(database_url)


def test_a_transaction_left_open_does_not_hold_up_the_cleaning(database_url: str) -> None:
    connection = psycopg.connect(database_url)
    connection.execute("LOCK TABLE app.clients IN ACCESS EXCLUSIVE MODE")
    # Ended by the cleaning; closing here is only for the interpreter's tidiness.
    connection.pgconn.finish()


def test_a_fresh_database_is_one_of_its_own(database_url: str, fresh_database: str) -> None:
    _add_client(fresh_database)

    assert (_clients(fresh_database), _clients(database_url)) == (1, 0)


def test_an_empty_database_has_no_schema_of_ours(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'app'").fetchall()

    assert found == []


def test_the_clock_moves_for_connections_already_open(
    database_url: str, clock: DatabaseClock
) -> None:
    question = "SELECT extract(epoch FROM app.now() - pg_catalog.now())::int"
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = connection.execute(question).fetchall()
        clock.advance(3600)
        clock.advance(60)
        moved = connection.execute(question).fetchall()
        clock.restore()
        after = connection.execute(question).fetchall()

    assert (before, moved, after) == ([(0,)], [(3660,)], [(0,)])


def test_kms_enforces_the_encryption_context(kms_endpoint: str, kms_key_id: str) -> None:
    kms = boto3.client("kms")
    made = kms.generate_data_key(
        KeyId=kms_key_id, KeySpec="AES_256", EncryptionContext={"stage": "local"}
    )
    opened = kms.decrypt(
        CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"stage": "local"}
    )
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"stage": "prod"})
    kms.close()

    assert opened["Plaintext"] == made["Plaintext"]
