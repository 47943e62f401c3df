"""Refused OAuth requests, worded by the dialect.

Never word an error anywhere else.
"""

from urllib.parse import urlencode

from starlette.responses import Response

from scripts.fake_drupal.answers import json_answer, redirect
from scripts.fake_drupal.dialects import Dialect
from scripts.fake_drupal.dialects.descriptions import DESCRIPTIONS
from scripts.fake_drupal.dialects.model import Delivery, ErrorShape, Failure


class OAuthRefusedError(Exception):
    """The request is refused for the reason given."""

    def __init__(self, failure: Failure, *, scope: str = "", basic: bool = False) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.scope = scope
        self.basic = basic


def _members(shape: ErrorShape, scope: str) -> dict[str, str]:
    members = {
        "error": shape.error,
        "error_description": shape.description or DESCRIPTIONS[shape.error],
    }
    if shape.hint is not None:
        members["hint"] = shape.hint.format(scope=scope) if scope else shape.hint
    return members


def error_answer(dialect: Dialect, refused: OAuthRefusedError) -> Response:
    """The JSON error answer (RFC 6749 section 5.2)."""
    shape = dialect.errors[refused.failure]
    members = _members(shape, refused.scope)
    if dialect.message_repeats_description:
        members["message"] = members["error_description"]
    headers = {"WWW-Authenticate": 'Basic realm="OAuth"'} if refused.basic else {}
    return json_answer(members, status=shape.status, headers=headers)


def authorization_refused(
    dialect: Dialect, refused: OAuthRefusedError, *, redirect_uri: str | None, state: str | None
) -> Response:
    """What the browser gets: the callback, bare JSON, or the front page (section 4.1.2.1)."""
    delivery = dialect.deliveries.get(refused.failure, Delivery.JSON)
    if delivery is Delivery.FRONT_PAGE:
        return redirect("/")
    if delivery is Delivery.JSON or redirect_uri is None:
        return error_answer(dialect, refused)
    members = _members(dialect.errors[refused.failure], refused.scope)
    pairs = ([("state", state)] if state is not None else []) + list(members.items())
    return redirect(with_parameters(redirect_uri, pairs), with_page=dialect.callback_body_html)


def with_parameters(uri: str, pairs: list[tuple[str, str]]) -> str:
    """The URI with parameters appended."""
    return uri + ("&" if "?" in uri else "?") + urlencode(pairs)
