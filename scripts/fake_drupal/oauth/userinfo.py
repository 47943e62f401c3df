"""``/oauth/userinfo``, ``/oauth/jwks`` and ``/oauth/debug``.

Never adds a claim that the dialect does not send.
"""

from starlette.responses import Response

from scripts.fake_drupal.accounts import DEBUG_TOKENS
from scripts.fake_drupal.answers import json_answer
from scripts.fake_drupal.bearer import forbidden, identify, require
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.site import Site


def userinfo_endpoint(site: Site, call: Call) -> Response:
    """Who the token speaks for; 403 without one."""
    caller = identify(site, call)
    if caller.account is None:
        raise forbidden(site, call, "")
    claims: dict[str, object] = {"sub": str(caller.uid)}
    if site.dialect.userinfo_full:
        claims |= {
            "name": caller.account.name,
            "preferred_username": caller.account.name,
            "email": caller.account.mail,
            "email_verified": True,
            "profile": f"{call.origin}/user/{caller.uid}",
            "locale": "en",
            "zoneinfo": "UTC",
            "updated_at": str(caller.account.updated),
        }
    return json_answer(claims)


def jwks_endpoint(site: Site, call: Call) -> Response:
    """The one public key; 5.x shows it to token holders only."""
    caller = identify(site, call)
    if not site.dialect.keys_public and caller.account is None:
        raise forbidden(site, call, "")
    return json_answer({"keys": [site.keys.public_jwk()]})


def debug_endpoint(site: Site, call: Call) -> Response:
    """What the token is worth: effective roles and permissions."""
    caller = identify(site, call)
    require(site, call, caller, DEBUG_TOKENS)
    if caller.token is None:
        raise forbidden(site, call, "")
    answer: dict[str, object] = {
        "token": [call.headers.get("authorization", "").removeprefix("Bearer ")],
        "id": str(caller.uid),
        "roles": ["authenticated", *caller.roles],
        "permissions": {
            name: {"title": name.capitalize(), "access": True} for name in caller.permissions
        },
    }
    return json_answer(answer)
