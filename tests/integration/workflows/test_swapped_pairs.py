"""Somebody who can write to the database moves, cuts and flips sealed pairs: nothing comes of it.

Each change is tried on the whole path of a call. Whatever it is, the person is served nobody's
token, the refusal is in the audit trail, and nobody is signed out.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import pytest

from shared.errors.catalogue import CATALOGUE
from shared.vault.token_vault import KeyUnusableError, SealedTokenRefusedError
from tests.support.upstream_world import SignedIn, UpstreamWorld

REFUSED: Final = "seal:refused"

Admin = psycopg.Connection[Any]


@dataclass(frozen=True, kw_only=True)
class Two:
    """Two people, each with a grant."""

    maya: SignedIn
    felix: SignedIn


async def two_people(world: UpstreamWorld) -> Two:
    return Two(maya=await world.sign_in("maya"), felix=await world.sign_in("felix"))


def stored(admin: Admin, signed_in: SignedIn) -> bytes:
    row = admin.execute(
        "SELECT pair_ciphertext FROM app.grants WHERE grant_id = %s", [signed_in.grant_id]
    ).fetchone()
    assert row is not None
    return bytes(row[0])


def put(admin: Admin, signed_in: SignedIn, ciphertext: bytes) -> None:
    admin.execute(
        "UPDATE app.grants SET pair_ciphertext = %s WHERE grant_id = %s",
        [ciphertext, signed_in.grant_id],
    )


def swap_rows(admin: Admin, two: Two) -> None:
    maya, felix = stored(admin, two.maya), stored(admin, two.felix)
    put(admin, two.maya, felix)
    put(admin, two.felix, maya)


def swap_people(admin: Admin, two: Two) -> None:
    admin.execute(
        "UPDATE app.grants SET user_id = %s WHERE grant_id = %s",
        [two.felix.user_id, two.maya.grant_id],
    )


def swap_salts(admin: Admin, two: Two) -> None:
    admin.execute(
        "UPDATE app.users SET salt = (SELECT salt FROM app.users WHERE user_id = %s)"
        " WHERE user_id = %s",
        [two.felix.user_id, two.maya.user_id],
    )


def pass_off_as_a_later_pair(admin: Admin, two: Two) -> None:
    admin.execute(
        "UPDATE app.grants SET pair_generation = pair_generation + 1 WHERE grant_id = %s",
        [two.maya.grant_id],
    )


def name_another_key(admin: Admin, two: Two) -> None:
    copy_of_the_key(admin)
    admin.execute(
        "UPDATE app.grants SET key_generation = 2 WHERE grant_id = %s", [two.maya.grant_id]
    )


def forge_the_header_too(admin: Admin, two: Two) -> None:
    sealed = stored(admin, two.maya)
    put(admin, two.maya, sealed[:1] + struct.pack(">I", 9) + sealed[5:])


def copy_of_the_key(admin: Admin) -> None:
    admin.execute(
        "INSERT INTO app.data_keys (generation, wrapped_key, kms_key_id)"
        " SELECT 2, wrapped_key, kms_key_id FROM app.data_keys WHERE generation = 1"
    )


def truncate(admin: Admin, two: Two) -> None:
    put(admin, two.maya, stored(admin, two.maya)[:-1])


def empty(admin: Admin, two: Two) -> None:
    put(admin, two.maya, b"")


def of_a_later_format(admin: Admin, two: Two) -> None:
    put(admin, two.maya, b"\x02" + stored(admin, two.maya)[1:])


CHANGES: Final[dict[str, tuple[Callable[[Admin, Two], None], str]]] = {
    "rows": (swap_rows, "not_authentic"),
    "people": (swap_people, "not_authentic"),
    "salts": (swap_salts, "not_authentic"),
    "pair generations": (pass_off_as_a_later_pair, "not_authentic"),
    "key generations": (name_another_key, "key_generation"),
    "key generation in the header": (forge_the_header_too, "key_generation"),
    "truncated": (truncate, "not_authentic"),
    "emptied": (empty, "too_short"),
    "format": (of_a_later_format, "format"),
}


async def called(world: UpstreamWorld, signed_in: SignedIn) -> list[str]:
    """The tokens that reach the site in one call."""
    used: list[str] = []

    async def request(access_token: str) -> None:
        used.append(access_token)

    await world.own.caller.run(await world.call_of(signed_in), request)
    return used


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_row_is_refused_and_audited_and_nobody_is_signed_out(
    world: UpstreamWorld, database_admin: Admin, change: str
) -> None:
    two = await two_people(world)
    alter, reason = CHANGES[change]
    alter(database_admin, two)

    for _ in range(2):
        with pytest.raises(SealedTokenRefusedError) as caught:
            await called(world, two.maya)

    refusals = [details for action, details in await world.audit() if action == REFUSED]
    assert caught.value.facts["reason"] == reason
    assert CATALOGUE[caught.value.code].http_status == 503
    assert [one["reason"] for one in refusals] == [reason]
    assert (await world.row(two.maya))["status"] == "active"
    assert world.drupal.control.requests() == []


async def test_a_data_key_under_another_generation_is_refused_by_kms(
    world: UpstreamWorld, database_admin: Admin
) -> None:
    two = await two_people(world)
    name_another_key(database_admin, two)
    sealed = stored(database_admin, two.maya)
    put(database_admin, two.maya, sealed[:1] + struct.pack(">I", 2) + sealed[5:])

    with pytest.raises(KeyUnusableError):
        await called(world, two.maya)
