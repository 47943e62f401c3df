"""What a site tells without anybody signing in: whether it is there, its clock, our client."""

import secrets
import time
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from scripts.site_doctor import addresses
from scripts.site_doctor.findings import Finding, advice, broken, good
from shared.errors.base import ServiceError, UnavailableError
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.failures import CodeRejectedError, UpstreamMisconfiguredError

TIMEOUT_SECONDS: Final = 15.0
CLOCK_SECONDS_MAX: Final = 30.0
"""Access tokens begin to count at the site's time; a client whose clock is behind refuses them."""


async def look(site: DrupalSite) -> list[Finding]:
    """All checks that need nobody; the later ones only where the earlier ones make sense."""
    found = await _reachable(site)
    if any(one.verdict == "broken" for one in found):
        return found
    found += await addresses.look(site)
    if any(one.verdict == "broken" for one in found):
        return found
    return [*found, await _client(site)]


async def _reachable(site: DrupalSite) -> list[Finding]:
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            answer = await http.get(site.base_url)
    except httpx2.HTTPError as error:
        told = f"the site does not answer ({type(error).__name__})."
        return [broken("reachable", told, "Check the address, DNS, certificate and firewall.")]
    if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        told = f"the site answers {answer.status_code}."
        return [broken("reachable", told, "End maintenance mode, or look at the site's log.")]
    return [good("reachable", f"the site answers {answer.status_code}."), _clock(answer)]


def _clock(answer: httpx2.Response) -> Finding:
    try:
        said = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return advice("clock", "the site does not tell its time.", "Let the server send Date.")
    skew = abs(time.time() - said)
    if skew > CLOCK_SECONDS_MAX:
        told = f"the site's clock is {skew:.0f} seconds off this machine's."
        return broken("clock", told, "Let both keep time with NTP.")
    return good("clock", f"less than {CLOCK_SECONDS_MAX:.0f} seconds off.")


async def _client(site: DrupalSite) -> Finding:
    """A made-up code is refused either way; the refusal tells whether the client is known."""
    try:
        await DrupalOAuth(site).redeem_code(
            secrets.token_urlsafe(32),
            code_verifier=secrets.token_urlsafe(48),
            timeout_seconds=TIMEOUT_SECONDS,
        )
    except CodeRejectedError:
        return good("client", "the site knows our client, and its secret is right.")
    except UpstreamMisconfiguredError:
        return broken(
            "client",
            "the site refuses our client.",
            "Compare client id and secret with the consumer in Drupal, and give the consumer the "
            "authorization code grant.",
        )
    except UnavailableError as error:
        told = f"the token endpoint does not answer as one ({error.code.value})."
        return broken("client", told, "Enable simple_oauth, and let no cache or page stand in.")
    except ServiceError as error:
        return broken("client", f"unexpected answer ({error.code.value}).", "Read the site's log.")
    return broken("client", "the site takes a made-up code.", "Something else answers there.")
