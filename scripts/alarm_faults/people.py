"""Faults in what people and clients do: sign-ins that end nowhere, stolen tokens, bursts."""

from typing import Final

import httpx2

from scripts.alarm_faults.case import Case
from scripts.alarm_faults.town import AT_A_TIME, SEARCH, Town, at_once, repeat
from scripts.local_stack.browser import BrowserError

GRANTS_MIN: Final = 5
SESSIONS_MIN: Final = 50
REFUSALS_AT_ONCE: Final = 100
REUSED_AFTER_SECONDS: Final = 120


async def codes_fail(town: Town) -> None:
    """Drupal exchanges no code any more: everybody comes back and nobody gets in."""
    town.site.control.fail(
        "error_html", route="token", times=100_000, grant_type="authorization_code"
    )
    await repeat(lambda: at_once(town.sign_in() for _ in range(AT_A_TIME)))


async def pairs_are_gone(town: Town) -> None:
    """The site has forgotten every token: nobody's pair is honoured."""
    people = await town.people(SESSIONS_MIN + 2)
    for store in (town.site.site.store.refresh_tokens, town.site.site.store.access_tokens):
        for key, _ in list(store.items()):
            store.delete(key)
    town.expire_pairs()
    await at_once(town.call(one, SEARCH) for one in people)
    town.callers.clear()


async def reply_is_lost(town: Town) -> None:
    """Drupal has replaced a pair, its answer reached nobody, and it does not tell it again."""
    (one, *_) = await town.people(1)
    town.site.control.fail("close_after", route="token", times=1)
    town.expire_pairs()
    await town.call(one, SEARCH)
    for minutes in range(1, 20):
        town.move_clock(minutes * 120)
        town.expire_pairs()
        await town.call(one, SEARCH)
    town.callers.remove(one)


async def refresh_tokens_are_reused(town: Town) -> None:
    """Somebody comes with refresh tokens whose successors have long been used."""
    people = await town.people(GRANTS_MIN + 1)
    old = [one.refresh_token for one in people]
    for one in people:
        for _ in range(2):
            one.refresh_token = (await town.refresh(one.refresh_token)).json()["refresh_token"]
    town.move_clock(REUSED_AFTER_SECONDS)
    for token in old:
        await town.refresh(token)
    town.callers.clear()


async def codes_are_replayed(town: Town) -> None:
    """Somebody redeems codes that were redeemed."""
    people = await town.people(GRANTS_MIN + 1)
    for one in people:
        await town.redeem(one.code)
    town.callers.clear()


async def another_answers(town: Town) -> None:
    """Drupal answers a refresh with another person's token."""
    one, other, *_ = await town.people(2)
    town.site.control.switch_subject(one.name, other.name)
    town.expire_pairs()
    await town.call(one, SEARCH)


async def seal_is_broken(town: Town) -> None:
    """A sealed pair was changed in the table."""
    await town.people(1)
    town.alter(
        "UPDATE app.grants SET pair_ciphertext = set_byte(pair_ciphertext, 40,"
        " get_byte(pair_ciphertext, 40) # 1) WHERE status = 'active'"
    )
    await at_once(town.call(one, SEARCH) for one in town.callers)
    town.callers.clear()


async def clients_register(town: Town) -> None:
    """A program registers client after client."""
    await repeat(lambda: at_once(town.register() for _ in range(20)))


async def tokens_are_tried(town: Town) -> None:
    """A program tries token after token."""
    url = town.stack.addresses.mcp_url
    headers = {**SEARCH.headers("dmcp_at_" + "A" * 43, "local")}
    del headers["host"]

    async def once() -> None:
        await at_once(
            town.ask("POST", url, headers=headers, content=SEARCH.body())
            for _ in range(REFUSALS_AT_ONCE)
        )

    await repeat(once)


async def limits_are_reached(town: Town) -> None:
    """A program goes on calling far past its person's limit."""
    people = await town.people(AT_A_TIME)

    async def once() -> None:
        await at_once(town.call(people[0], SEARCH) for _ in range(REFUSALS_AT_ONCE))

    await repeat(once)


async def people_deny(town: Town) -> None:
    """People who were sent a link to a sign-in refuse it."""

    async def deny() -> None:
        try:
            await town.deny()
        except (BrowserError, httpx2.HTTPError):
            return

    await repeat(lambda: at_once(deny() for _ in range(AT_A_TIME)))


async def sign_ins_are_refused(town: Town) -> None:
    """Somebody opens returns from the site in a browser of their own."""
    await repeat(lambda: at_once(town.foreign_return() for _ in range(AT_A_TIME)))


async def other_audience(town: Town) -> None:
    """Tokens that were issued for another resource are shown here."""
    people = await town.people(1)
    town.alter("UPDATE app.sessions SET resource = 'https://other.example/mcp'")
    for _ in range(12):
        await town.call(people[0], SEARCH)
    town.callers.clear()


async def everything_is_read(town: Town) -> None:
    """One person has had 320 tutorials read; the rows are copies of one real reading."""
    people = await town.people(1)
    await town.call(people[0], town.read())
    await town.stack.emulator.settled("mcp_endpoint")
    town.alter(
        "INSERT INTO app.usage_events"
        " (event_id, user_id, client_id, tool, outcome, content_id, duration_milliseconds)"
        " SELECT gen_random_uuid(), user_id, client_id, tool, outcome, 'copy-' || number,"
        " duration_milliseconds FROM (SELECT * FROM app.usage_events"
        " WHERE content_id IS NOT NULL AND outcome = 'ok' LIMIT 1) AS one,"
        " generate_series(1, 320) AS number"
    )
    town.clock_at(hour=None, minute=1)
    await town.tick("cleanup")


async def session_roams(town: Town) -> None:
    """One session was used from 32 networks; loopback counts as none, so they are written in."""
    town.alter(
        "INSERT INTO app.session_networks (session_id, network_hash, seen_at)"
        " SELECT session_id, decode(md5(number::text), 'hex'), app.now()"
        " FROM (SELECT session_id FROM app.sessions LIMIT 1) AS one,"
        " generate_series(1, 32) AS number"
    )
    town.clock_at(hour=None, minute=1)
    await town.tick("cleanup")


async def _with_grants(town: Town) -> None:
    await town.people(GRANTS_MIN + 1)


async def _with_two(town: Town) -> None:
    await town.people(2)


async def _with_sessions(town: Town) -> None:
    await town.people(SESSIONS_MIN + 2)


CASES: Final = (
    Case(
        fault="Drupal exchanges no code: everybody comes back, nobody gets in",
        alarms=("SignInCompletionLow",),
        plant=codes_fail,
        factor=20.0,
    ),
    Case(
        fault="Drupal answers for another person",
        alarms=("SubjectChanged",),
        prepare=_with_two,
        plant=another_answers,
        factor=60.0,
    ),
    Case(
        fault="Drupal replaced a pair and its answer was lost for good",
        alarms=("InvoluntarySignOut",),
        prepare=_with_two,
        plant=reply_is_lost,
        factor=60.0,
    ),
    Case(
        fault="sealed pairs were changed in the table",
        alarms=("SealsRefused",),
        prepare=_with_two,
        plant=seal_is_broken,
        factor=60.0,
    ),
    Case(
        fault="refresh tokens come back long after their successors were used",
        alarms=("RefreshTokensReused",),
        prepare=_with_grants,
        plant=refresh_tokens_are_reused,
        factor=60.0,
    ),
    Case(
        fault="redeemed codes are redeemed again",
        alarms=("CodesReplayed",),
        prepare=_with_grants,
        plant=codes_are_replayed,
        factor=60.0,
    ),
    Case(
        fault="tokens for another resource are shown",
        alarms=("AudienceMismatches",),
        prepare=_with_two,
        plant=other_audience,
        factor=60.0,
    ),
    Case(
        fault="one person reads 320 tutorials",
        alarms=("BulkReading",),
        prepare=_with_two,
        plant=everything_is_read,
        factor=60.0,
    ),
    Case(
        fault="one session is used from 32 networks",
        alarms=("SessionOnManyNetworks",),
        prepare=_with_two,
        plant=session_roams,
        factor=60.0,
    ),
    Case(
        fault="a program registers client after client",
        alarms=("RegistrationBurst",),
        plant=clients_register,
        factor=60.0,
    ),
    Case(
        fault="a program tries token after token",
        alarms=("BearerRefusalBurst",),
        plant=tokens_are_tried,
        factor=10.0,
    ),
    Case(
        fault="a program calls far past its limit",
        alarms=("RateLimitBurst",),
        prepare=_with_two,
        plant=limits_are_reached,
        factor=10.0,
    ),
    Case(
        fault="people refuse sign-ins that they were sent",
        alarms=("DenialBurst",),
        plant=people_deny,
        factor=20.0,
    ),
    Case(
        fault="returns from the site are opened in other browsers",
        alarms=("FailedSignInBurst",),
        plant=sign_ins_are_refused,
        factor=20.0,
    ),
    Case(
        fault="the site has forgotten every token",
        alarms=("SessionContinuityLow",),
        prepare=_with_sessions,
        plant=pairs_are_gone,
        factor=60.0,
    ),
)
