"""The command line of the doctor.

Never shows a token, and never writes one down.
"""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from scripts.site_doctor import after_sign_in, before_sign_in, own_side
from scripts.site_doctor.findings import Finding, Verdict, broken
from shared.settings import RefreshSettings, UpstreamSettings
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite

SECRET_VARIABLE: Final = "DRUPAL_CLIENT_SECRET"  # noqa: S105 - names a variable
_ASKS: Final = """
Sign in at the site as a member, in a browser:

  {url}

You are sent on to {redirect_uri}, which shows an error page or
nothing: copy the whole address from the browser's address bar and paste it here.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/doctor",
        description=(
            "Looks a Drupal site over and says what to change there. The client's secret is read "
            f"from {SECRET_VARIABLE}."
        ),
    )
    parser.add_argument("--drupal-url", help="the site's origin")
    parser.add_argument("--client-id", help="our consumer there")
    parser.add_argument("--redirect-uri", help="as in Drupal: <issuer>/oauth/callback")
    default = UpstreamSettings.model_fields["drupal_scopes"].default
    parser.add_argument("--scopes", default=" ".join(default), help="default: %(default)s")
    days = RefreshSettings.model_fields["drupal_refresh_token_days"].default
    parser.add_argument(
        "--refresh-token-days",
        type=int,
        default=days,
        help="DRUPAL_REFRESH_TOKEN_DAYS of the deployment; default: %(default)s",
    )
    parser.add_argument(
        "--without-sign-in", action="store_true", help="only what the site tells anybody"
    )
    parser.add_argument(
        "--own-side",
        action="store_true",
        help="not the site: secrets, database and key of this environment's variables",
    )
    return parser


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says; ends the process where it is not enough."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if not given.own_side and not (given.drupal_url and given.client_id and given.redirect_uri):
        parser.error("--drupal-url, --client-id and --redirect-uri are needed, or --own-side")
    return given


async def examine(
    site: DrupalSite, *, ask: Callable[[str], str] | None, refresh_token_days: int
) -> list[Finding]:
    """Everything that can be found out; ``ask`` shows a text and returns the pasted address."""
    found = await before_sign_in.look(site)
    if ask is None or any(one.verdict is Verdict.BROKEN for one in found):
        return found
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    url = DrupalOAuth(site).authorization_url(state=state, code_verifier=verifier)
    pasted = await asyncio.to_thread(ask, _ASKS.format(url=url, redirect_uri=site.redirect_uri))
    if pasted.strip().startswith(site.base_url):
        return [*found, _kept_there()]
    query = parse_qs(urlsplit(pasted.strip()).query)
    if query.get("state") != [state] or "code" not in query:
        return [*found, _no_code(query.get("error", ["no code"])[0])]
    found += await after_sign_in.look(
        site,
        code=query["code"][0],
        code_verifier=verifier,
        refresh_token_days=refresh_token_days,
    )
    return found


def _kept_there() -> Finding:
    return broken(
        "redirect URI",
        "the site keeps the person instead of sending them back to us.",
        "Compare the redirect URI with the consumer's in Drupal, letter by letter; and look at "
        "what the page says.",
    )


def _no_code(reason: str) -> Finding:
    # What was pasted is not repeated but for the error's name, which may only have plain letters.
    named = "".join(letter for letter in reason if letter.isalpha() or letter in "_ ")[:40]
    return broken(
        "sign-in",
        f"the site sent no code ({named}).",
        "invalid_scope: compare the scopes with those in Drupal. Otherwise: sign in again.",
    )


def _ask(text: str) -> str:
    print(text, flush=True)
    return input("address: ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine; 0 if nothing is broken."""
    given = parsed(arguments)
    found = asyncio.run(own_side.look(os.environ) if given.own_side else _site_of(given))
    print("\n".join(map(str, found)))
    return int(any(one.verdict is Verdict.BROKEN for one in found))


async def _site_of(given: argparse.Namespace) -> list[Finding]:
    site = DrupalSite(
        base_url=given.drupal_url.rstrip("/"),
        client_id=given.client_id,
        client_secret=os.environ.get(SECRET_VARIABLE) or None,
        scopes=tuple(given.scopes.split()),
        redirect_uri=given.redirect_uri,
    )
    return await examine(
        site,
        ask=None if given.without_sign_in else _ask,
        refresh_token_days=given.refresh_token_days,
    )


if __name__ == "__main__":
    sys.exit(main())
