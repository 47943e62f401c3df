"""Canned answers of planned faults: what a broken site, a proxy or a CDN sends instead.

Never reads the site's state.
"""

from starlette.responses import Response

from scripts.fake_drupal.answers import answer, apology, html, json_answer, maintenance, redirect
from scripts.fake_drupal.dialects import Dialect
from scripts.fake_drupal.faults import Fault, FaultKind

RETRY_AFTER_SECONDS = 7
_PROXY_PAGE = "<!DOCTYPE html><html><head><title>Gateway</title></head><body>Hello.</body></html>"
_CHALLENGE_PAGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    "<body>Checking that you are not a robot.</body></html>"
)


def canned_answer(dialect: Dialect, fault: Fault) -> Response | None:
    """The answer that stands in for the site's; None for faults that are not answers."""
    match fault.kind:
        case FaultKind.ERROR_JSON:
            members = {"error": "server_error", "error_description": "Something is broken."}
            return json_answer(members, status=500)
        case FaultKind.ERROR_HTML:
            return apology(dialect.apology)
        case FaultKind.MAINTENANCE_HTML | FaultKind.MAINTENANCE_TEXT:
            as_text = fault.kind is FaultKind.MAINTENANCE_TEXT
            return maintenance(dialect.site_name, wants_json=as_text)
        case FaultKind.INSTALL_REDIRECT:
            return redirect("/core/install.php")
        case FaultKind.PROXY_PAGE:
            return html(_PROXY_PAGE)
        case _:
            return _of_the_edge(dialect, fault)


def _of_the_edge(dialect: Dialect, fault: Fault) -> Response | None:
    match fault.kind:
        case FaultKind.RATE_LIMITED:
            seconds = fault.retry_after_seconds
            after = RETRY_AFTER_SECONDS if seconds is None else seconds
            return html("slow down", status=429, headers={"Retry-After": str(after)})
        case FaultKind.BOT_CHALLENGE:
            return html(_CHALLENGE_PAGE, status=403, headers={"Server": "cdn"})
        case FaultKind.NOT_JSON:
            return answer(b'{"jsonrpc": "2.0", ', "application/json", status=200)
        case FaultKind.UNAUTHORIZED:
            return _unauthorized(dialect, "access_denied", "Access token has been revoked")
        case FaultKind.UNAUTHORIZED_SERVER_ERROR:
            return _unauthorized(dialect, "server_error", "")
        case _:
            return None


def _unauthorized(dialect: Dialect, error: str, reason: str) -> Response:
    challenge = f'Bearer realm="OAuth", error="{error}", error_description="{reason}"'
    headers = {"WWW-Authenticate": challenge} if dialect.bearer_challenge else {}
    return json_answer({"message": dialect.bearer_message or reason}, status=401, headers=headers)
