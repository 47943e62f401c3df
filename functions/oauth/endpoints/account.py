"""``/account``: a person sees which clients act for them, and disconnects them. HTTP shape only.

Every change is answered with a redirect to the page, so that reloading repeats nothing.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth import account_cookie, browser_cookie
from functions.oauth.allowances import admit
from functions.oauth.answers import go_to
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows import account_sign_in, account_visit
from functions.oauth.pages.account import Notice
from functions.oauth.parameters import Parameters, parse_form
from functions.oauth.refusals import InvalidRequestError
from shared.domain.account_page import ACCOUNT_PATH, NOTICE_PARAMETER
from shared.domain.rate_limits import LimitName


def router(dependencies: Dependencies) -> APIRouter:
    """The endpoint's routes."""
    routes = APIRouter()

    @routes.get(ACCOUNT_PATH)
    async def show(request: Request) -> Response:
        visit = account_cookie.read(request)
        notice = Notice.of(request.query_params.get(NOTICE_PARAMETER))
        if notice is Notice.ACCOUNT_REFUSED:
            # A visit may be older than what the site thinks of the account now.
            return dependencies.pages.account_door(notice=notice)
        view = await account_visit.look(dependencies, visit)
        if view is not None:
            return dependencies.pages.account(view, notice=notice)
        if visit is None:
            return dependencies.pages.account_door(notice=notice)
        answer = dependencies.pages.account_door(notice=Notice.VISIT_OVER)
        account_cookie.forget(answer)
        return answer

    @routes.post(ACCOUNT_PATH)
    async def change(request: Request) -> Response:
        form = await parse_form(request, bytes_max=dependencies.body_bytes_max)
        if form.require("action") == "sign_in":
            return await _sign_in(dependencies, request)
        return await _change(dependencies, form, request)

    return routes


async def _sign_in(dependencies: Dependencies, request: Request) -> Response:
    await admit(dependencies, request, LimitName.ACCOUNT_SIGN_IN_BY_ADDRESS)
    browser = browser_cookie.read_or_mint(request)
    answer = dependencies.pages.onward_to_site(await account_sign_in.begin(dependencies, browser))
    browser_cookie.remember(answer, browser)
    return answer


async def _change(dependencies: Dependencies, form: Parameters, request: Request) -> Response:
    visit, proof = account_cookie.read(request), form.get("proof") or ""
    match form.require("action"):
        case "disconnect":
            ended = await account_visit.disconnect(
                dependencies, visit, proof=proof, grant=form.require("connection")
            )
            return _back(dependencies, Notice.DISCONNECTED if ended else Notice.NOT_CONNECTED)
        case "disconnect_all":
            await account_visit.disconnect_all(dependencies, visit, proof=proof)
            return _back(dependencies, Notice.ALL_DISCONNECTED)
        case "sign_out":
            await account_visit.sign_out(dependencies, visit, proof=proof)
            answer = _back(dependencies, Notice.SIGNED_OUT)
            account_cookie.forget(answer)
            return answer
        case _:
            raise InvalidRequestError("action")


def _back(dependencies: Dependencies, notice: Notice) -> Response:
    return go_to(page_address(dependencies.issuer, notice))


def page_address(issuer: str, notice: Notice | None = None) -> str:
    """The page, where ``notice`` is shown."""
    address = f"{issuer}{ACCOUNT_PATH}"
    return address if notice is None else f"{address}?{NOTICE_PARAMETER}={notice.value}"
