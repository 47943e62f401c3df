"""Which path is answered by what, and with which methods.

Never answers itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from starlette.responses import Response

from scripts.fake_drupal.answers import apology, maintenance, redirect
from scripts.fake_drupal.bearer import CallRefusedError, presented_client
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.jsonrpc import jsonrpc_endpoint
from scripts.fake_drupal.login import front_page, login_endpoint, logout_endpoint
from scripts.fake_drupal.oauth.authorize import authorize_endpoint
from scripts.fake_drupal.oauth.discovery import discovery_endpoint
from scripts.fake_drupal.oauth.register import register_endpoint
from scripts.fake_drupal.oauth.revoke import introspect_endpoint, revoke_endpoint
from scripts.fake_drupal.oauth.token import token_endpoint
from scripts.fake_drupal.oauth.userinfo import debug_endpoint, jwks_endpoint, userinfo_endpoint
from scripts.fake_drupal.pages import content_page, not_found, wrong_method
from scripts.fake_drupal.rpc_listing import methods_endpoint
from scripts.fake_drupal.site import Site
from scripts.fake_drupal.tools import call_endpoint, describe_endpoint, list_endpoint

DEFAULT_CONSUMER = "default_consumer"
Endpoint = Callable[[Site, Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A path, or the beginning of one if it ends in ``*``."""

    path: str
    endpoint: Endpoint
    allow: str = "GET, HEAD"
    any_method: bool = False
    needs_metadata_addon: bool = False

    def matches(self, path: str) -> bool:
        """Whether this route is the path's."""
        if self.path.endswith("*"):
            return path.startswith(self.path[:-1])
        return path == self.path


ROUTES: tuple[Route, ...] = (
    Route("/", front_page),
    Route("/user/login", login_endpoint, "GET, POST, HEAD"),
    Route("/user/logout", logout_endpoint),
    Route("/user/*", front_page),
    Route("/oauth/authorize", authorize_endpoint, "GET, POST, HEAD"),
    Route("/oauth/token", token_endpoint, "POST"),
    Route("/oauth/userinfo", userinfo_endpoint, "GET, POST, HEAD"),
    Route("/oauth/jwks", jwks_endpoint),
    Route("/oauth/debug", debug_endpoint),
    Route("/oauth/revoke", revoke_endpoint, "POST", needs_metadata_addon=True),
    Route("/oauth/introspect", introspect_endpoint, any_method=True, needs_metadata_addon=True),
    Route("/oauth/register", register_endpoint, "POST", needs_metadata_addon=True),
    Route("/.well-known/*", discovery_endpoint, "GET, HEAD, OPTIONS"),
    Route("/jsonrpc", jsonrpc_endpoint, "POST, GET, OPTIONS, HEAD"),
    Route("/jsonrpc/", jsonrpc_endpoint, "POST, GET, OPTIONS, HEAD"),
    Route("/jsonrpc/methods*", methods_endpoint),
    Route("/mcp/tools/list", list_endpoint),
    Route("/mcp/tools/describe", describe_endpoint),
    Route("/mcp/tools/*", call_endpoint, any_method=True),
    *(Route(f"/{kind}/*", content_page) for kind in ("tutorial", "topic", "course")),
    *(Route(f"/{kind}/*", content_page) for kind in ("guide", "video")),
)


def respond(site: Site, call: Call) -> Response:
    """The site's answer to a request."""
    if site.behaviours.database_empty:
        return redirect("/core/install.php")
    if site.behaviours.database_down:
        return apology(site.dialect.apology, early=True)
    # Looked up first: the request itself may revoke the token.
    consumer = presented_client(site, call) or DEFAULT_CONSUMER
    try:
        response = _routed(site, call)
    except CallRefusedError as refused:
        response = refused.response
    if site.behaviours.clock_off_seconds is not None:
        told = site.clock.now() + site.behaviours.clock_off_seconds
        response.headers["Date"] = formatdate(told, usegmt=True)
    if site.dialect.names_consumer:
        response.headers["X-Consumer-ID"] = consumer
    return response


def _routed(site: Site, call: Call) -> Response:
    if site.behaviours.maintenance:
        return maintenance(site.dialect.site_name, wants_json=call.wants_json)
    if call.path in site.behaviours.paths_missing:
        return not_found(site, call)
    for route in ROUTES:
        if not route.matches(call.path):
            continue
        if route.needs_metadata_addon and not site.dialect.server_metadata:
            break
        if not route.any_method and call.method not in route.allow.split(", "):
            return wrong_method(site, route.allow)
        return route.endpoint(site, call)
    return not_found(site, call)
