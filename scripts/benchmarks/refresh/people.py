"""People who have signed in: each with a grant and a pair of the site's."""

import secrets
from collections.abc import Sequence
from typing import Any

from scripts.benchmarks.refresh.parts import Parts
from shared.domain.clients import Client, RegistrationKind
from shared.domain.grants import UpstreamPair, sane_life_seconds
from shared.domain.identifiers import ClientId, GrantId, UpstreamSubject, UserId, new_id
from shared.state import clients, grants, users
from shared.upstream.wire import unverified_claims
from shared.vault.pair_codec import encode_pair
from shared.workflows.sealed_pairs import pair_binding, refresh_after_seconds

CLIENT = Client(
    client_id=ClientId("measured"),
    kind=RegistrationKind.DYNAMIC,
    client_name="Measured",
    redirect_uris=("http://127.0.0.1/callback",),
)
_DAY_SECONDS = 86_400


async def store(parts: Parts, site_url: str, answers: Sequence[dict[str, Any]]) -> list[GrantId]:
    """Store what as many finished sign-ins store; the site's token answers come in."""
    async with parts.database.transaction() as tx:
        await clients.add(tx, CLIENT, unused_seconds=_DAY_SECONDS)
    return [await _store(parts, site_url, _pair(answer)) for answer in answers]


def _pair(answer: dict[str, Any]) -> UpstreamPair:
    access_token = str(answer["access_token"])
    return UpstreamPair(
        access_token=access_token,
        refresh_token=str(answer["refresh_token"]),
        life_seconds=sane_life_seconds(answer["expires_in"]),
        subject=UpstreamSubject(unverified_claims(access_token).sub or ""),
    )


async def _store(parts: Parts, site_url: str, pair: UpstreamPair) -> GrantId:
    grant_id = GrantId(new_id())
    async with parts.database.transaction() as tx:
        user_id, salt = await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site=site_url,
            subject=pair.subject,
            salt=secrets.token_bytes(32),
        )
    binding = pair_binding(grant_id=grant_id, user_id=user_id, pair_generation=1)
    sealed = await parts.vault.seal(encode_pair(pair), user_salt=salt, binding=binding)
    async with parts.database.transaction() as tx:
        await grants.create(
            tx,
            grant_id=grant_id,
            user_id=user_id,
            client_id=CLIENT.client_id,
            pair=sealed,
            life_seconds=pair.life_seconds,
            refresh_after_seconds=refresh_after_seconds(pair.life_seconds),
        )
    return grant_id
