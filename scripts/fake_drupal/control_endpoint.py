"""``/_control/*``: the levers over HTTP, for people, scripts and other processes.

``GET /_control`` lists them. Never returns a token, code or password.
"""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scripts.fake_drupal.accounts import Account
from scripts.fake_drupal.control import Control
from scripts.fake_drupal.faults import Fault
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.site import AccountUnknownError, Site

CONTROL_PREFIX = "/_control"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserChange(_Strict):
    """What to do to a user; any mix of these."""

    name: str
    blocked: bool | None = None
    roles: list[str] | None = None
    save: bool = False
    delete: bool = False
    switch_subject_to: str | None = None


class NewAccount(_Strict):
    """An account to add or replace."""

    uid: int
    name: str
    password: str
    roles: list[str] = []


class ClientChange(_Strict):
    """An OAuth client to add or replace."""

    client_id: str
    secret: str | None = None
    redirect_uris: list[str]
    automatic: bool = False


class TimePassed(_Strict):
    """Seconds to let pass."""

    seconds: float


def _plan(control: Control, body: bytes) -> object:
    control.plan(Fault.model_validate_json(body))
    return {"pending": [fault.model_dump() for fault in control.pending_faults()]}


def _change_user(control: Control, body: bytes) -> object:
    change = UserChange.model_validate_json(body)
    if change.roles is not None:
        control.set_roles(change.name, *change.roles)
    if change.blocked is not None:
        control.block_user(change.name, blocked=change.blocked)
    if change.switch_subject_to is not None:
        control.switch_subject(change.name, change.switch_subject_to)
    if change.save:
        control.save_user(change.name)
    if change.delete:
        control.delete_user(change.name)
    return {"done": True}


def _put_account(control: Control, body: bytes) -> object:
    new = NewAccount.model_validate_json(body)
    account = Account(uid=new.uid, name=new.name, password=new.password, roles=tuple(new.roles))
    control.put_account(account)
    return {"done": True}


def _change_client(control: Control, body: bytes) -> object:
    change = ClientChange.model_validate_json(body)
    control.put_client(
        OAuthClient(
            client_id=change.client_id,
            secret=change.secret,
            redirect_uris=tuple(change.redirect_uris),
            automatic=change.automatic,
        )
    )
    return {"done": True}


def _advance(control: Control, body: bytes) -> object:
    control.advance(TimePassed.model_validate_json(body).seconds)
    return {"done": True}


def _release(control: Control, _: bytes) -> object:
    control.clear_faults()
    return {"done": True}


def _clear_caches(control: Control, _: bytes) -> object:
    control.clear_caches()
    return {"done": True}


def _reset(control: Control, _: bytes) -> object:
    control.reset()
    return {"done": True}


POSTS: dict[str, Callable[[Control, bytes], object]] = {
    "/faults": _plan,
    "/faults/clear": _release,
    "/users": _change_user,
    "/accounts": _put_account,
    "/clients": _change_client,
    "/clock": _advance,
    "/caches/clear": _clear_caches,
    "/reset": _reset,
}


async def control_endpoint(site: Site, request: Request) -> Response:
    """Answer a control request; 400 with the reason when it is not understood."""
    path = request.url.path.removeprefix(CONTROL_PREFIX).rstrip("/")
    if request.method == "GET":
        return _shown(site, path)
    body = await request.body()
    try:
        if path == "/behaviours":
            return _switched(site, body)
        action = POSTS.get(path)
        if action is None:
            return JSONResponse({"error": "unknown control"}, status_code=404)
        return JSONResponse(action(Control(site), body))
    except (ValidationError, AccountUnknownError) as error:
        return JSONResponse({"error": str(error)}, status_code=400)


def _switched(site: Site, body: bytes) -> Response:
    merged = {**site.behaviours.model_dump(), **_Switches.model_validate_json(body).model_dump()}
    site.behaviours = type(site.behaviours).model_validate(merged)
    return JSONResponse(site.behaviours.model_dump(mode="json"))


class _Switches(BaseModel):
    """Any members; ``Behaviours`` checks them."""

    model_config = ConfigDict(extra="allow")


def _shown(site: Site, path: str) -> Response:
    shown: dict[str, Callable[[], object]] = {
        "": lambda: {"GET": sorted(shown), "POST": sorted([*POSTS, "/behaviours"])},
        "/requests": site.log.as_json,
        "/behaviours": lambda: site.behaviours.model_dump(mode="json"),
        "/faults": lambda: [fault.model_dump(mode="json") for fault in site.faults.pending()],
        "/users": lambda: [
            {"uid": item.uid, "name": item.name, "roles": item.roles, "blocked": item.blocked}
            for _, item in site.store.accounts.items()
        ],
        "/health": lambda: {"dialect": site.dialect.number, "items": len(site.content)},
    }
    answer = shown.get(path)
    if answer is None:
        return JSONResponse({"error": "unknown control"}, status_code=404)
    return JSONResponse(answer())
