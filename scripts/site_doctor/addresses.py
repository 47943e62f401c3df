"""What stands at the addresses that we call: a module, nothing, an error page, or an edge.

Asks without any token, so that nothing is changed whatever answers.
"""

from dataclasses import dataclass
from typing import Final

import httpx2

from scripts.site_doctor.findings import Finding, advice, broken, by_hand, good
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.wire import unverified_claims

TIMEOUT_SECONDS: Final = 15.0
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - an address
_FORBIDDEN_BY_EDGES: Final = frozenset({403, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """Where a module answers; whether people can do without it."""

    method: str
    path: str
    module: str
    dispensable: bool = False


_ADDRESSES: Final = (
    _Address(method="POST", path=TOKEN_PATH, module="simple_oauth"),
    _Address(method="POST", path="/jsonrpc", module="jsonrpc"),
    _Address(method="GET", path="/mcp/tools/list", module="jsonrpc_mcp"),
    _Address(method="POST", path="/oauth/revoke", module="simple_oauth_21 (6.x)", dispensable=True),
)


async def look(site: DrupalSite) -> list[Finding]:
    """What the addresses answer to somebody whom the site does not know."""
    async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        try:
            answers = {
                one.path: await http.request(one.method, site.url(one.path)) for one in _ADDRESSES
            }
            default_user = await _default_user(site, http)
        except httpx2.HTTPError as error:
            told = f"an address of the site does not answer ({type(error).__name__})."
            return [broken("addresses", told, "Read the log of the site and of what is before it.")]
    return [*_modules(answers), *_in_front(answers[TOKEN_PATH], answers["/jsonrpc"]), default_user]


def _modules(answers: dict[str, httpx2.Response]) -> list[Finding]:
    missing = [one for one in _ADDRESSES if answers[one.path].status_code == httpx2.codes.NOT_FOUND]
    if not missing:
        return [good("modules", "every module that we call is there.")]
    found = []
    for one in missing:
        told = f"there is nothing at {one.path}: {one.module} is missing, off or too old."
        if one.dispensable:
            remedy = "Install it: until then tokens are made useless by a refresh, one by one."
            found.append(advice("modules", told, remedy))
        else:
            found.append(broken("modules", told, f"Install and enable {one.module}."))
    return found


def _in_front(token: httpx2.Response, rpc: httpx2.Response) -> list[Finding]:
    """Whether machines get through to the site, and hear of errors in their own language."""
    if any(one.status_code in _FORBIDDEN_BY_EDGES and _is_page(one) for one in (token, rpc)):
        told = "a page that asks for a person stands before the site's addresses for machines."
        remedy = (
            "Let the CDN or firewall pass /oauth/*, /jsonrpc and /mcp/tools/* from our address."
        )
        return [broken("edge", told, remedy)]
    if _is_page(token) and token.status_code != httpx2.codes.NOT_FOUND:
        told = f"the token endpoint answers errors as a page (status {token.status_code})."
        remedy = (
            "Its errors must be JSON (RFC 6749 section 5.2): look for an error page, a cache or "
        )
        return [broken("errors", told, f"{remedy}a gateway that words them anew.")]
    return [good("errors", "machines get through, and the token endpoint refuses in JSON.")]


def _is_page(answer: httpx2.Response) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


async def _default_user(site: DrupalSite, http: httpx2.AsyncClient) -> Finding:
    """A consumer with a default user acts as that user where it should act as nobody."""
    remedy = "Take the default user off the consumer: a deleted person's tokens would act as them."
    subjects = [await _subject_without_a_person(site, http, scope) for scope in site.scopes]
    if any(subjects):
        told = "our client gets a token that acts as a user, without anybody signing in."
        return broken("default user", told, f"{remedy} Take the client credentials grant off it.")
    if "" in subjects:
        told = "a token of our client that nobody signed in for acts as nobody."
        return good("default user", told)
    told = "whether the consumer has a default user cannot be seen from outside."
    return by_hand("default user", told, remedy)


async def _subject_without_a_person(
    site: DrupalSite, http: httpx2.AsyncClient, scope: str
) -> str | None:
    """Whom a token by client credentials acts as, perhaps nobody; None where there is none."""
    answer = await http.post(
        site.url(TOKEN_PATH),
        data={
            "grant_type": "client_credentials",
            "client_id": site.client_id,
            "client_secret": site.client_secret or "",
            "scope": scope,
        },
    )
    try:
        token = answer.json()["access_token"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(unverified_claims(str(token)).sub or "")
