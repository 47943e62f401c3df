"""What stands behind the words in angle brackets of a recorded request.

Each role is played by a real value of the running site; never by a made-up constant.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import httpx

from scripts.fake_drupal.call import Call
from scripts.fake_drupal.login import SESSION_COOKIE, form_token
from scripts.fake_drupal.oauth.tokens import check_access_token
from scripts.fake_drupal.records import CodeRow
from scripts.fake_drupal.running import RunningFakeDrupal
from tests.integration.fake_drupal.fixture_site import (
    ALICE,
    BOB,
    BROWSER_SESSION,
    CONFIDENTIAL_SECRET,
    OTHER_REDIRECT_URI,
    REDIRECT_URI,
    default_scopes,
)

VERIFIER = "recorded-exchanges-use-a-verifier-of-sixty-four-characters-0123-"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
Pair = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """The site and a client to reach it."""

    running: RunningFakeDrupal
    http: httpx.AsyncClient

    def pair(self, name: str = "alice", *, client_id: str = "mcp-public", **kwargs: Any) -> Pair:
        """A pair as after a finished sign-in."""
        kwargs.setdefault("scopes", default_scopes(self.running))
        return self.running.issue_pair(name, client_id=client_id, **kwargs)

    async def token(self, **form: str) -> Pair:
        """The token endpoint's answer."""
        form.setdefault("client_id", "mcp-public")
        response = await self.http.post("/oauth/token", data=form)
        answer: Pair = response.json()
        return answer

    async def refresh(self, refresh_token: str, **form: str) -> Pair:
        """The answer to a refresh."""
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **form)

    def code(
        self,
        *,
        client_id: str = "mcp-public",
        uid: int = ALICE.uid,
        scopes: tuple[str, ...] = (),
        seconds: float = 300,
    ) -> str:
        """An authorization code as after a consent."""
        site = self.running.site
        row = CodeRow(
            client_id=client_id,
            uid=uid,
            scopes=scopes or default_scopes(self.running),
            redirect_uri=REDIRECT_URI,
            code_challenge=CHALLENGE,
            code_challenge_method="S256",
            expires_at=site.clock.now() + seconds,
        )
        key = f"{client_id}-{uid}-{len(list(site.store.codes.items()))}"
        site.store.codes.put(key, row)
        return site.keys.seal("code", key)

    async def redeem(self, code: str, *, verifier: str = VERIFIER) -> Pair:
        """The answer to a redemption at mcp-public."""
        return await self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=REDIRECT_URI,
            code_verifier=verifier,
        )


async def used_code(stage: Stage) -> str:
    code = stage.code()
    await stage.redeem(code)
    return code


async def code_after_a_wrong_verifier(stage: Stage) -> str:
    code = stage.code()
    await stage.redeem(code, verifier=VERIFIER[::-1])
    return code


async def access_of_replayed_code(stage: Stage) -> str:
    code = stage.code()
    pair = await stage.redeem(code)
    await stage.redeem(code)
    return str(pair["access_token"])


async def used_refresh(stage: Stage) -> str:
    old = str(stage.pair()["refresh_token"])
    await stage.refresh(old)
    return old


async def newest_after_reuse(stage: Stage) -> Pair:
    old = str(stage.pair()["refresh_token"])
    new = await stage.refresh(old)
    await stage.refresh(old)
    return new


async def newest_refresh_after_reuse(stage: Stage) -> str:
    return str((await newest_after_reuse(stage))["refresh_token"])


async def newest_access_after_reuse(stage: Stage) -> str:
    return str((await newest_after_reuse(stage))["access_token"])


async def narrowed_refresh(stage: Stage) -> str:
    scopes = ("tutorial:read", "tutorial:search", "member")
    wide = str(stage.pair(scopes=scopes)["refresh_token"])
    return str((await stage.refresh(wide, scope="tutorial:read"))["refresh_token"])


async def refused_for_more_scope(stage: Stage) -> str:
    token = str(stage.pair()["refresh_token"])
    await stage.refresh(token, scope="member")
    return token


async def access_before_a_refresh(stage: Stage) -> str:
    pair = stage.pair()
    await stage.refresh(pair["refresh_token"])
    return str(pair["access_token"])


async def access_after_deletion(stage: Stage) -> str:
    pair = stage.pair()
    stage.running.control.delete_user("alice")
    return str((await stage.refresh(pair["refresh_token"]))["access_token"])


def expired_refresh(stage: Stage) -> str:
    token = str(stage.pair(client_id="mcp-short")["refresh_token"])
    stage.running.control.advance(10)
    return token


def expired_code(stage: Stage) -> str:
    code = stage.code(client_id="mcp-short", seconds=2)
    stage.running.control.advance(10)
    return code


def expired_access(stage: Stage) -> str:
    token = str(stage.pair()["access_token"])
    stage.running.control.advance(10_000)
    return token


def jti_of(stage: Stage, token: str) -> str:
    return check_access_token(stage.running.site, token).jti


async def revoked_jti(stage: Stage) -> str:
    jti = jti_of(stage, str(stage.pair()["access_token"]))
    await stage.http.post("/oauth/revoke", data={"client_id": "mcp-public", "token": jti})
    return jti


def tampered(token: str) -> str:
    middle = len(token) // 2
    return token[:middle] + ("0" if token[middle] != "0" else "1") + token[middle + 1 :]


def consent_token(stage: Stage) -> str:
    call = Call(
        method="GET",
        path="/oauth/authorize",
        query_string="",
        query={},
        headers={},
        cookies={SESSION_COOKIE: BROWSER_SESSION},
        body=b"",
        form={},
        origin=stage.running.url,
        remote="",
    )
    return form_token(stage.running.site, call)


def node(stage: Stage, *, member_only: bool) -> int:
    items = stage.running.site.content.values()
    return next(int(item.content_id) for item in items if item.member_only is member_only)


Role = Callable[[Stage], Any | Awaitable[Any]]

ROLES: dict[str, Role] = {
    "<redirect URI>": lambda _: REDIRECT_URI,
    "<other redirect URI>": lambda _: OTHER_REDIRECT_URI,
    "<challenge>": lambda _: CHALLENGE,
    "<verifier>": lambda _: VERIFIER,
    "<wrong verifier>": lambda _: VERIFIER[::-1],
    "<form token>": consent_token,
    "<code>": lambda stage: stage.code(),
    "<used code>": used_code,
    "<code after a wrong verifier>": code_after_a_wrong_verifier,
    "<code of mcp-conf>": lambda stage: stage.code(client_id="mcp-conf"),
    "<code of mcp-norefresh>": lambda stage: stage.code(client_id="mcp-norefresh"),
    "<code for openid>": lambda stage: stage.code(scopes=("openid", "tutorial:read")),
    "<expired code of mcp-short>": expired_code,
    "<code of bob for the member scope>": lambda stage: stage.code(uid=BOB.uid, scopes=("member",)),
    "<refresh token>": lambda stage: stage.pair()["refresh_token"],
    "<refresh token of bob>": lambda stage: stage.pair("bob")["refresh_token"],
    "<used refresh token>": used_refresh,
    "<expired refresh token>": expired_refresh,
    "<tampered refresh token>": lambda stage: tampered(str(stage.pair()["refresh_token"])),
    "<narrowed refresh token>": narrowed_refresh,
    "<refresh token refused for more scope>": refused_for_more_scope,
    "<newest refresh token after reuse>": newest_refresh_after_reuse,
    "<access token>": lambda stage: stage.pair()["access_token"],
    "<access token of bob>": lambda stage: stage.pair("bob")["access_token"],
    "<access token of bob for the member scope>": lambda stage: stage.pair(
        "bob", scopes=("member",)
    )["access_token"],
    "<access token for tutorial:search only>": lambda stage: stage.pair(
        scopes=("tutorial:search",)
    )["access_token"],
    "<access token whose code was replayed>": access_of_replayed_code,
    "<access token before a refresh>": access_before_a_refresh,
    "<newest access token after reuse>": newest_access_after_reuse,
    "<access token refreshed after alice was deleted>": access_after_deletion,
    "<expired access token>": expired_access,
    "<tampered access token>": lambda stage: tampered(str(stage.pair()["access_token"])),
    "<jti>": lambda stage: jti_of(stage, str(stage.pair()["access_token"])),
    "<revoked jti>": revoked_jti,
    "<password of bob>": lambda _: f"bob:{BOB.password}",
    "<wrong password of bob>": lambda _: "bob:wrong",
    "<client secret of mcp-conf>": lambda _: CONFIDENTIAL_SECRET,
    "<wrong client secret of mcp-conf>": lambda _: "wrong",
    "<readable node>": lambda stage: node(stage, member_only=False),
    "<members' node>": lambda stage: node(stage, member_only=True),
}


class Cast:
    """The roles of one exchange; each is played by one value throughout."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._played: dict[str, Any] = {}

    async def value(self, role: str) -> Any:
        """The value that plays the role."""
        if role not in self._played:
            value = ROLES[role](self._stage)
            self._played[role] = await value if isawaitable(value) else value
        return self._played[role]
