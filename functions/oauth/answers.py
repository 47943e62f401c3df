"""HTTP answers that the endpoints share: JSON, redirects back to the client, errors as either.

Error texts come from the catalogue; a redirect carries nothing but what its RFC names.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import JSONResponse, RedirectResponse, Response

from functions.oauth.pages.destinations import destination_of
from functions.oauth.pages.render import Onward, Pages
from functions.oauth.refusals import HeldReturnError, ReturnedToClientError
from shared.errors.base import ServiceError
from shared.errors.entries import Severity
from shared.errors.translation import as_oauth_error
from shared.observability import crash_reports, metrics, recovery
from shared.observability.debug_answers import debug_of
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.request_context import correlation_id

NO_STORE = {"cache-control": "no-store"}
TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
PASSING_SECONDS = 5


def json_answer(body: Mapping[str, object], *, status: int = 200) -> Response:
    """A JSON answer that nobody may keep (RFC 6749 section 5.1)."""
    return JSONResponse(dict(body), status_code=status, headers=NO_STORE)


def client_address(redirect_uri: str, parameters: Mapping[str, str | None], *, issuer: str) -> str:
    """The client's address with ``parameters`` and ``iss`` (RFC 9207 section 2)."""
    query = urlencode(
        {name: value for name, value in {**parameters, "iss": issuer}.items() if value is not None}
    )
    separator = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{separator}{query}"


def return_to_client(address: str) -> Response:
    """Send the browser to an address that ``client_address`` made."""
    # Set by hand: the redirect URI is an exact string and must not be normalised.
    return Response(status_code=303, headers={**NO_STORE, "location": address})


def go_to(url: str) -> Response:
    """Send the browser on with GET, whatever method brought it here."""
    return RedirectResponse(url, status_code=303, headers=NO_STORE)


def json_error(error: ServiceError, *, passing: bool = False) -> Response:
    """An error as OAuth's back channel reads it (RFC 6749 section 5.2).

    ``passing`` presents it as an outage that will be over soon.
    """
    _tell(error)
    body = {**as_oauth_error(error, correlation_id=correlation_id()), **debug_of(error)}
    parameter = error.facts.get("parameter")
    if parameter is not None:
        body["parameter"] = parameter
    if passing:
        body["error"] = TEMPORARILY_UNAVAILABLE
    answer = json_answer(body, status=503 if passing else error.entry.http_status)
    _advise_retry(answer, error, default_seconds=PASSING_SECONDS if passing else None)
    return answer


def page_error(error: ServiceError, *, pages: Pages, at_account: bool = False) -> Response:
    """An error as a person reads it, who came from a client or is ``at_account``'s page."""
    _tell(error)
    answer = pages.error(error, correlation_id=correlation_id(), at_account=at_account)
    _advise_retry(answer, error)
    return answer


def error_address(error: ReturnedToClientError, *, issuer: str) -> str:
    """Where the client hears an error (RFC 6749 section 4.1.2.1), which is told to the log, too."""
    refusal = error.refusal
    _tell(refusal)
    parameter = refusal.facts.get("parameter")
    description = refusal.entry.message
    return client_address(
        error.redirect_uri,
        {
            "error": refusal.entry.oauth_code,
            "error_description": f"{description} ({parameter})" if parameter else description,
            "state": error.client_state,
        },
        issuer=issuer,
    )


def held_error(error: HeldReturnError, *, issuer: str, pages: Pages) -> Response:
    """The same error on a page that offers the way to the client, and takes nobody there."""
    address = error_address(error, issuer=issuer)
    onward = Onward(url=address, name=destination_of(error.redirect_uri).name)
    return pages.error(error.refusal, correlation_id=correlation_id(), onward=onward)


def _advise_retry(
    answer: Response, error: ServiceError, *, default_seconds: int | None = None
) -> None:
    seconds = error.retry_after_seconds or default_seconds
    if seconds is not None:
        answer.headers["retry-after"] = str(seconds)


def _tell(error: ServiceError) -> None:
    metrics.count(MetricName.ERRORS, error_code=error.code.value)
    facts = {
        **error.facts,
        "error_code": error.code.value,
        "first_cause": recovery.first_cause(error),
    }
    if error.entry.http_status >= recovery.HTTP_OUTAGE:
        recovery.surfaced()
    if error.entry.http_status == 500:
        facts["report_id"] = error.report_id = crash_reports.report(error)
    write = log.error if error.entry.severity is Severity.ERROR else log.info
    write("request refused", **facts)
