"""What exists once, whoever adds it at the same time."""

import asyncio
import dataclasses
import secrets

import pytest

from shared.domain.identifiers import UpstreamSubject, UserId, new_id
from shared.state import clients, data_keys, users
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database, DatabaseStatementError
from tests.integration.state.pieces import KEY, SITE, a_client, add_client, value


async def ensure(
    database: Database, *, site: str = SITE, subject: str = "17"
) -> tuple[UserId, bytes]:
    async with database.transaction() as tx:
        return await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site=site,
            subject=UpstreamSubject(subject),
            salt=secrets.token_bytes(32),
        )


async def test_sign_ins_of_one_new_person_at_once_agree_on_id_and_salt(
    database: Database,
) -> None:
    found = await asyncio.gather(*(ensure(database) for _ in range(10)))

    assert len(set(found)) == 1
    assert await value(database, "SELECT count(*) FROM app.users") == 1


async def test_a_person_is_known_by_site_and_subject_together(database: Database) -> None:
    first = await ensure(database)

    assert await ensure(database) == first
    assert await ensure(database, subject="18") != first
    assert await ensure(database, site="https://other.example") != first


async def test_a_salt_of_another_length_is_refused(database: Database) -> None:
    with pytest.raises(DatabaseStatementError):
        async with database.transaction() as tx:
            await users.ensure(
                tx,
                user_id=UserId(new_id()),
                site=SITE,
                subject=UpstreamSubject("17"),
                salt=b"short",
            )


async def test_a_client_comes_back_as_it_registered(database: Database) -> None:
    client = dataclasses.replace(a_client(), client_uri="https://client.example")
    async with database.transaction() as tx:
        await clients.add(tx, client, unused_seconds=60)

        assert await clients.find(tx, client.client_id) == client
        assert await clients.find(tx, "another") is None


async def test_a_client_somebody_signed_in_with_stays(database: Database) -> None:
    client_id = await add_client(database)
    expiry = "SELECT unused_expires_at FROM app.clients"
    before = await value(database, expiry)
    async with database.transaction() as tx:
        await clients.mark_used(tx, client_id)

    assert before is not None
    assert await value(database, expiry) is None


async def test_of_many_first_keys_one_is_stored_and_the_others_hear_of_it(
    database: Database,
) -> None:
    store = StoredDataKeys(database)
    keys = [dataclasses.replace(KEY, wrapped_key=secrets.token_bytes(8)) for _ in range(10)]

    added = await asyncio.gather(*(store.add(key) for key in keys))

    assert added.count(True) == 1
    assert await store.newest() == keys[added.index(True)]


async def test_keys_are_found_by_generation_and_the_newest_by_number(database: Database) -> None:
    store = StoredDataKeys(database)
    assert await store.newest() is None
    second, tenth = dataclasses.replace(KEY, generation=2), dataclasses.replace(KEY, generation=10)
    async with database.transaction() as tx:
        for key in (tenth, KEY, second):
            assert await data_keys.add(tx, key)

    assert await store.newest() == tenth
    assert await store.find(2) == second
    assert await store.find(3) is None


def test_a_stored_key_does_not_show_itself() -> None:
    assert "wrapped'" not in repr(KEY)
