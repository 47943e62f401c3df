"""Rows for the tests of the stores, written by the stores themselves."""

import secrets
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from shared.domain.clients import Client, RegistrationKind
from shared.domain.grants import SealedPair
from shared.domain.identifiers import ClientId, GrantId, SessionId, UpstreamSubject, UserId, new_id
from shared.domain.known_clients import ClientFamily
from shared.domain.sign_ins import AuthorizationRequest
from shared.domain.tokens import TokenHash, TokenKind, hash_token, mint
from shared.state import clients, data_keys, grants, sessions, users
from shared.state.data_keys import WrappedDataKey
from shared.state.database import Database, Transaction
from shared.state.sessions import NewAccessToken, NewSession

SITE: Final = "https://site.example"
RESOURCE: Final = "https://mcp.example/mcp"
REDIRECT_URI: Final = "https://client.example/callback"
CLIENT_ID: Final = ClientId("client-1")
HOUR: Final = 3_600
DAY: Final = 86_400

KEY: Final = WrappedDataKey(generation=1, wrapped_key=b"wrapped", kms_key_id="key")
PAIR: Final = SealedPair(ciphertext=b"first pair", key_generation=1)
NEXT_PAIR: Final = SealedPair(ciphertext=b"next pair", key_generation=1)
REQUEST: Final = AuthorizationRequest(
    client_id=CLIENT_ID,
    redirect_uri=REDIRECT_URI,
    client_state="state of the client",
    scopes=("tutorial:search", "tutorial:read"),
    resource=RESOURCE,
    code_challenge="challenge",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session with what a client would hold of it, as hashes."""

    grant_id: GrantId
    session_id: SessionId
    access_hash: TokenHash
    refresh_hash: TokenHash


def a_hash(kind: TokenKind = TokenKind.ACCESS) -> TokenHash:
    """The hash of a new token."""
    return hash_token(mint(kind))


def a_client(client_id: str = CLIENT_ID) -> Client:
    """A client as it registers itself."""
    return Client(
        client_id=ClientId(client_id),
        kind=RegistrationKind.DYNAMIC,
        client_name="A client",
        redirect_uris=(REDIRECT_URI,),
    )


async def add_client(database: Database, client_id: str = CLIENT_ID) -> ClientId:
    """A registered client that nobody has used yet."""
    async with database.transaction() as tx:
        await clients.add(tx, a_client(client_id), unused_seconds=DAY)
    return ClientId(client_id)


async def add_grant(
    database: Database,
    *,
    subject: str | None = None,
    life_seconds: int = 300,
    refresh_after_seconds: float | None = None,
    client_family: ClientFamily = ClientFamily.OTHER,
) -> GrantId:
    """A grant with its first pair; client, data key and person are added where missing."""
    grant_id = GrantId(new_id())
    async with database.transaction() as tx:
        if await clients.find(tx, CLIENT_ID) is None:
            await clients.add(tx, a_client(), unused_seconds=DAY)
        await data_keys.add(tx, KEY)
        user_id, _salt = await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site=SITE,
            subject=UpstreamSubject(subject or secrets.token_hex(4)),
            salt=secrets.token_bytes(32),
        )
        await grants.create(
            tx,
            grant_id=grant_id,
            user_id=user_id,
            client_id=CLIENT_ID,
            pair=PAIR,
            life_seconds=life_seconds,
            refresh_after_seconds=refresh_after_seconds,
            client_family=client_family,
        )
    return grant_id


async def open_session(
    tx: Transaction,
    grant_id: GrantId,
    *,
    access_seconds: int = 8 * HOUR,
    sliding_seconds: int = 30 * DAY,
    absolute_seconds: int = 90 * DAY,
) -> StoredSession:
    """A session of a grant with its first tokens."""
    stored = StoredSession(
        grant_id=grant_id,
        session_id=SessionId(new_id()),
        access_hash=a_hash(),
        refresh_hash=a_hash(TokenKind.REFRESH),
    )
    await sessions.open(
        tx,
        session=NewSession(
            session_id=stored.session_id,
            grant_id=grant_id,
            client_id=CLIENT_ID,
            resource=RESOURCE,
            scopes=REQUEST.scopes,
        ),
        access_hash=stored.access_hash,
        access_seconds=access_seconds,
        refresh_hash=stored.refresh_hash,
        sliding_seconds=sliding_seconds,
        absolute_seconds=absolute_seconds,
    )
    return stored


async def add_session(
    database: Database, grant_id: GrantId | None = None, *, access_seconds: int = 8 * HOUR
) -> StoredSession:
    """A session, with a grant of its own unless one is given."""
    grant_id = grant_id or await add_grant(database)
    async with database.transaction() as tx:
        return await open_session(tx, grant_id, access_seconds=access_seconds)


async def rotate(
    tx: Transaction,
    session: StoredSession,
    presented: TokenHash | None = None,
    *,
    access_scopes: tuple[str, ...] | None = None,
) -> StoredSession:
    """The same session after a rotation, in the caller's transaction."""
    access_hash, refresh_hash = a_hash(), a_hash(TokenKind.REFRESH)
    await sessions.rotate(
        tx,
        session_id=session.session_id,
        presented_hash=presented or session.refresh_hash,
        successor_sealed=b"sealed answer",
        access=NewAccessToken(token_hash=access_hash, life_seconds=8 * HOUR, scopes=access_scopes),
        refresh_hash=refresh_hash,
        sliding_seconds=30 * DAY,
    )
    return StoredSession(
        grant_id=session.grant_id,
        session_id=session.session_id,
        access_hash=access_hash,
        refresh_hash=refresh_hash,
    )


async def value(
    database: Database, statement: LiteralString, params: dict[str, object] | None = None
) -> Any:
    """The one value of a statement's one row."""
    async with database.autocommit() as tx:
        row = await tx.row(statement, params or {})
    assert row is not None
    (found,) = row.values()
    return found


async def grant_row(database: Database, grant_id: GrantId) -> dict[str, Any]:
    """A grant as stored."""
    async with database.autocommit() as tx:
        row = await tx.row("SELECT * FROM app.grants WHERE grant_id = %(id)s", {"id": grant_id})
    assert row is not None
    return row
