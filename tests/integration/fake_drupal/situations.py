"""What had happened at the site before an exchange was recorded.

Never touches the request itself; that is ``replay``'s.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from scripts.fake_drupal.accounts import GRANT_CODES, USE_JSONRPC
from scripts.fake_drupal.records import Approval, BrowserSession
from tests.integration.fake_drupal.fixture_site import (
    ALICE,
    BOB,
    BROWSER_SESSION,
    CLIENTS,
    default_scopes,
)
from tests.integration.fake_drupal.roles import Cast, Stage, jti_of

Situation = Callable[[Stage, Cast], Awaitable[None]]


def _control(method: str, *arguments: Any, **keywords: Any) -> Situation:
    async def apply(stage: Stage, _: Cast) -> None:
        getattr(stage.running.control, method)(*arguments, **keywords)

    return apply


def _failed_logins(count: int) -> Situation:
    async def apply(stage: Stage, _: Cast) -> None:
        for _number in range(count):
            await stage.http.post("/user/login", data={"name": "bob", "pass": "bad"})

    return apply


def _described(**query: str) -> Situation:
    async def apply(stage: Stage, cast: Cast) -> None:
        headers = {"Authorization": f"Bearer {await cast.value('<access token>')}"}
        await stage.http.get("/mcp/tools/describe", params=query, headers=headers)

    return apply


def _posted_to_revoke(role: str) -> Situation:
    async def apply(stage: Stage, cast: Cast) -> None:
        form = {"client_id": "mcp-public", "token": str(await cast.value(role))}
        await stage.http.post("/oauth/revoke", data=form)

    return apply


async def _jti_posted(stage: Stage, cast: Cast) -> None:
    """The jti of the access token that the exchange presents."""
    jti = jti_of(stage, str(await cast.value("<access token>")))
    await stage.http.post("/oauth/revoke", data={"client_id": "mcp-public", "token": jti})


async def _approved(stage: Stage, _: Cast) -> None:
    scopes = default_scopes(stage.running)
    stage.running.site.store.approvals.put(f"{ALICE.uid}:mcp-norefresh", Approval(scopes=scopes))


async def _just_logged_in(stage: Stage, _: Cast) -> None:
    sessions = stage.running.site.store.browser_sessions
    sessions.put(BROWSER_SESSION, BrowserSession(uid=ALICE.uid, fresh=True))


async def _content_created(stage: Stage, _: Cast) -> None:
    content = stage.running.site.content
    first = next(iter(content.values()))
    content["9001"] = replace(first, content_id="9001", slug="new", title="brandnew thing")


async def _refused_refreshes(stage: Stage, _: Cast) -> None:
    for _number in range(60):
        await stage.refresh("garbage")


SITUATIONS: dict[str, Situation] = {
    "maintenance": _control("set", maintenance=True),
    "database down": _control("set", database_down=True),
    "database empty": _control("set", database_empty=True),
    "basic_auth off": _control("set", basic_auth=False),
    "public key missing": _control("set", public_key_missing=True),
    "private key missing": _control("set", private_key_missing=True),
    "permission to grant codes removed": _control(
        "remove_permission", "authenticated", GRANT_CODES
    ),
    "permission to use JSON-RPC removed": _control(
        "remove_permission", "authenticated", USE_JSONRPC
    ),
    "default user bob": _control("put_client", replace(CLIENTS[0], default_uid=BOB.uid)),
    "client saved": _control("put_client", CLIENTS[0]),
    "alice saved": _control("save_user", "alice"),
    "alice deleted": _control("delete_user", "alice"),
    "alice blocked": _control("block_user", "alice"),
    "bob blocked": _control("block_user", "bob"),
    "described without a name before": _described(),
    "described an unknown tool before": _described(name="nope"),
    "consent given to mcp-norefresh before": _approved,
    "logged in just now": _just_logged_in,
    "content created": _content_created,
    "60 refused refreshes": _refused_refreshes,
    "jti posted to revoke": _jti_posted,
    "access token posted to revoke": _posted_to_revoke("<access token>"),
    "refresh token posted to revoke": _posted_to_revoke("<refresh token>"),
    **{f"{count} failed logins": _failed_logins(count) for count in range(6)},
}
