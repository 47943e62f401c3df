"""``POST /oauth/token``.

Never answers with a ``scope`` member: Drupal does not.
"""

from starlette.responses import Response

from scripts.fake_drupal.answers import answer, encode_json
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.dialects.model import Failure
from scripts.fake_drupal.oauth.clients import authenticate_client
from scripts.fake_drupal.oauth.errors import OAuthRefusedError, error_answer
from scripts.fake_drupal.oauth.grants import GRANTS
from scripts.fake_drupal.site import Site

NOT_STORED = {"Cache-Control": "no-store, private", "Pragma": "no-cache"}


def token_endpoint(site: Site, call: Call) -> Response:
    """Token request (RFC 6749 sections 4.1.3, 4.4.2, 6); only a form body is read."""
    try:
        members = _grant(site, call)
    except OAuthRefusedError as refused:
        return error_answer(site.dialect, refused)
    return answer(
        encode_json(members),
        "application/json; charset=UTF-8",
        status=200,
        headers=NOT_STORED,
    )


def _grant(site: Site, call: Call) -> dict[str, str | int | float]:
    if site.behaviours.private_key_missing:
        raise OAuthRefusedError(Failure.PRIVATE_KEY_MISSING)
    if not call.form.get("client_id") and call.basic_credentials() is None:
        raise OAuthRefusedError(Failure.CLIENT_MISSING)
    grant = GRANTS.get(call.form.get("grant_type", ""))
    if grant is None:
        raise OAuthRefusedError(Failure.GRANT_UNSUPPORTED)
    client = authenticate_client(site, call)
    return grant(site, client, call)
