"""What only a person's own tokens tell: how long they live, how they are renewed, what they open.

The pair is given back at the end, whatever was found.
"""

import secrets
from typing import Final

import httpx2

from scripts.site_doctor.before_sign_in import TIMEOUT_SECONDS
from scripts.site_doctor.findings import Finding, Verdict, advice, broken, by_hand, good
from shared.domain.grants import ON_DEMAND_LIFE_SECONDS_MAX, UpstreamPair
from shared.domain.refresh_times import SITE_REPLAY_SECONDS
from shared.errors.base import ServiceError
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_rpc import DrupalRpc
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.drupal_tools import DrupalTools
from shared.upstream.failures import CodeRejectedError, RefreshRejectedError

LIFE_SECONDS_MIN: Final = 3_600
"""What an access token should live: every shorter life costs the site refreshes."""
DAY_SECONDS: Final = 86_400
BUFFER_MODULE: Final = "simple_oauth_refresh_token_buffer"


async def look(
    site: DrupalSite, *, code: str, code_verifier: str, refresh_token_days: int
) -> list[Finding]:
    """Redeem the code of a finished sign-in, and look at what it gives.

    ``refresh_token_days`` is what the deployment is told of the site's refresh tokens.
    """
    oauth = DrupalOAuth(site)
    proof = await _proof_of_the_code(oauth, code)
    if proof.verdict is Verdict.BROKEN:
        return [proof]
    try:
        pair = await oauth.redeem_code(
            code, code_verifier=code_verifier, timeout_seconds=TIMEOUT_SECONDS
        )
    except CodeRejectedError:
        remedy = "Sign in again; check that the consumer allows PKCE with S256."
        return [broken("sign-in", "the site refuses the code it has just given.", remedy)]
    except ServiceError as error:
        told = f"the code could not be redeemed ({error.code.value})."
        return [broken("sign-in", told, "Read the site's log.")]
    found = [proof, good("sign-in", "a code was given and redeemed."), _life(pair)]
    found.append(await _roles(site, pair))
    found.append(_refresh_token_life(pair, refresh_token_days))
    found.append(await _tools(site, pair))
    renewal, newest = await _renewal(oauth, pair)
    return [*found, *renewal, await _burnt(oauth, newest)]


async def _proof_of_the_code(oauth: DrupalOAuth, code: str) -> Finding:
    """Whether a code is worth nothing without its verifier (RFC 7636 section 4.6).

    A wrong verifier does not use the code up.
    """
    try:
        pair = await oauth.redeem_code(
            code, code_verifier=secrets.token_urlsafe(48), timeout_seconds=TIMEOUT_SECONDS
        )
    except CodeRejectedError:
        return good("PKCE", "a code is refused with another's verifier.")
    except ServiceError as error:
        told = f"could not be found out ({error.code.value})."
        return advice("PKCE", told, "Read the site's log.")
    await _burnt(oauth, pair)
    told = "a code is taken with any verifier: who steals one can use it."
    return broken("PKCE", told, "Update simple_oauth, and let the consumer use PKCE.")


async def _roles(site: DrupalSite, pair: UpstreamPair) -> Finding:
    """Whether the scopes lend the person's roles to the token; only Drupal itself can tell."""
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            answer = await http.get(
                site.url("/oauth/debug?_format=json"),
                headers={"authorization": f"Bearer {pair.access_token}"},
            )
            roles = set(answer.json()["roles"]) - {"authenticated"}
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        told = "which roles the scopes lend cannot be seen: /oauth/debug is not for this person."
        remedy = "Look at the scopes in Drupal: one of those asked for must be mapped to the role."
        return by_hand("roles", told, remedy)
    if roles:
        return good("roles", f"the scopes lend the person {len(roles)} role(s) of theirs.")
    told = "the scopes lend the person none of their roles: a member is served as a guest."
    remedy = "Map one of the scopes asked for to the role that members have."
    return broken("roles", told, f"{remedy} Sign in as a member, or it is no wonder.")


def _life(pair: UpstreamPair) -> Finding:
    seconds = pair.life_seconds
    told = f"access tokens live {seconds} seconds."
    if seconds >= LIFE_SECONDS_MIN:
        return good("token life", told)
    on_demand = seconds <= ON_DEMAND_LIFE_SECONDS_MAX
    costs = "They are renewed while people wait" if on_demand else "They are renewed often"
    remedy = f"{costs}: set the consumer's access token expiration to {LIFE_SECONDS_MIN} or more."
    return advice("token life", told, remedy)


def _refresh_token_life(pair: UpstreamPair, days: int) -> Finding:
    """Refresh tokens do not tell their age; what can be seen is whether the rest fits."""
    kept_alive_days = days / 2
    told = (
        f"pairs that nobody needs are renewed after {kept_alive_days:g} days: right where a "
        f"refresh token lives {days} days (DRUPAL_REFRESH_TOKEN_DAYS)."
    )
    if pair.life_seconds > kept_alive_days * DAY_SECONDS:
        remedy = "Access tokens live longer than that: let refresh tokens live twice as long."
        return advice("refresh token life", told, remedy)
    remedy = f"Look at the consumer: its refresh token expiration must be {days} days or more."
    return by_hand("refresh token life", told, remedy)


async def _renewal(oauth: DrupalOAuth, pair: UpstreamPair) -> tuple[list[Finding], UpstreamPair]:
    """What a refresh gives, and a second one with the same token; the pair that lives then."""
    if pair.refresh_token is None:
        told = "the site gives no refresh token: people have to sign in again and again."
        remedy = "Give the consumer the refresh token grant."
        return [broken("refresh", told, remedy)], pair
    try:
        renewed = await oauth.refresh(pair.refresh_token, timeout_seconds=TIMEOUT_SECONDS)
    except ServiceError as error:
        told = f"a fresh refresh token is not taken ({error.code.value})."
        return [broken("refresh", told, "Read the site's log.")], pair
    found = [good("refresh", "a pair can be renewed.")]
    if renewed.subject and renewed.subject != pair.subject:
        told = "the renewed token is somebody else's."
        found.append(broken("subject", told, "Take the default user off the consumer."))
    buffer, newest = await _buffer(oauth, pair.refresh_token, renewed)
    return [*found, buffer], newest


async def _buffer(
    oauth: DrupalOAuth, used: str, renewed: UpstreamPair
) -> tuple[Finding, UpstreamPair]:
    """Whether the site gives a lost answer again."""
    remedy = (
        f"Install {BUFFER_MODULE} with {SITE_REPLAY_SECONDS} seconds: without it a process that "
        "dies at the wrong moment signs a person out."
    )
    try:
        again = await oauth.refresh(used, timeout_seconds=TIMEOUT_SECONDS)
    except RefreshRejectedError:
        told = "an answer that is lost on the way is lost for good."
        return advice("refresh buffer", told, remedy), renewed
    except ServiceError as error:
        told = f"could not be found out ({error.code.value})."
        return advice("refresh buffer", told, remedy), renewed
    if again.refresh_token == renewed.refresh_token:
        return good("refresh buffer", "a lost answer is given again."), again
    told = "a refresh token can be used twice, each time for another pair."
    return advice(
        "refresh buffer", told, "Let refresh tokens be revoked when they are used."
    ), again


async def _tools(site: DrupalSite, pair: UpstreamPair) -> Finding:
    rpc = DrupalRpc(site)
    try:
        listed = await DrupalTools(rpc).list_tools(
            access_token=pair.access_token, timeout_seconds=TIMEOUT_SECONDS
        )
    except ServiceError as error:
        told = f"the list of tools cannot be read ({error.code.value})."
        remedy = (
            "Enable jsonrpc_mcp; give the person's role the permissions to use JSON-RPC services "
            "and to see the tools, and map a requested scope to that role."
        )
        return broken("tools", told, remedy)
    finally:
        await rpc.close()
    if not listed:
        remedy = "Map a requested scope to a role that may call JSON-RPC methods."
        return broken("tools", "the person sees no tool at all.", remedy)
    return good("tools", f"the person sees {len(listed)} tools.")


async def _burnt(oauth: DrupalOAuth, pair: UpstreamPair) -> Finding:
    try:
        await oauth.burn(pair, timeout_seconds=TIMEOUT_SECONDS)
    except ServiceError as error:
        told = f"the tokens of this examination could not be revoked ({error.code.value})."
        return advice("sign-out", told, "Give the consumer access to the revocation endpoint.")
    return good("sign-out", "the tokens of this examination were given back.")
