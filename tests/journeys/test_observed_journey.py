"""One whole journey at DEBUG, with every provider of traces: what it left is followed and searched.

The secrets are those that really passed by, whatever they were.
"""

import itertools
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import boto3
import httpx2
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from psycopg import sql

from functions.oauth.flows.client_authentication import ASSERTION_TYPE
from scripts.local_stack.browser import BrowserError
from scripts.local_stack.client import REDIRECT_URI
from scripts.local_stack.functions import DATABASE
from scripts.local_stack.options import REGION
from scripts.local_stack.request_trace import steps_of
from scripts.local_stack.schedules import Schedule
from shared.vault.token_vault import data_key_context
from tests.journeys.account_page import AccountPage
from tests.journeys.plain_client import Endpoints, PlainClient, call_tool, plain_http, registered
from tests.journeys.world import World, running_world
from tests.support.secret_hunt import SecretHunt, hunting
from tests.support.telemetry_sinks import HttpSink, XrayDaemon, http_sink, xray_daemon

KEY: Final = ECKey.generate_key("P-256", {"kid": "1"})
PARTNER: Final = "partner"
CLIENTS: Final = [
    {
        "client_id": PARTNER,
        "client_name": "Server of a partner",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [KEY.as_dict(private=False)]},
    }
]
KINDS: Final = {
    *("code", "state", "access_token", "refresh_token", "code_verifier", "client_secret"),
    *("client_assertion", "cookie", "consent", "proof", "pass", "data key", "salt"),
}
"""Every kind of secret there is; the journey has to meet each, or it shows nothing."""
WATCHED: Final = {
    "log oauth.log": ('"level":"DEBUG"', '"_aws"', "span ended", '"report_id":"'),
    "log mcp_endpoint.log": ('"level":"DEBUG"', '"_aws"', "span ended", '"report_id":"'),
    "log token_refresh.log": ("invocation ended",),
    "log cleanup.log": ("invocation ended",),
    "x-ray": ('"name": "tool"', '"name": "refresh"', '"name": "## oauth"'),
    "otlp": ("upstream_rpc", "upstream_oauth", "mcp_endpoint"),
    "sentry": ("exception", "transaction", "sqlstate"),
    "table audit_events": ("grant:created", "code:redeemed", "session:refreshed"),
    "table usage_events": ("search_tutorials",),
    "addresses": ("/oauth/callback", "/authorize", "/jsonrpc"),
}
"""What must be there, or a place was not watched."""
TEXTS: Final = {"audit_events": "action", "usage_events": "tool", "sessions": "resource"}
TABLES: Final = """
    SELECT relname FROM pg_class
     WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
BROKEN: Final = ("app.sessions", "app.authorization_codes", "app.grants")


@dataclass(frozen=True)
class Left:
    """What a journey left behind, by place."""

    texts: Mapping[str, str]
    hunt: SecretHunt

    def leaks(self) -> dict[str, set[str]]:
        """Places with secrets in them."""
        found = {place: self.hunt.found_in(text) for place, text in self.texts.items()}
        return {place: kinds for place, kinds in found.items() if kinds}


@dataclass(frozen=True)
class Journey:
    """A running stack, and whoever watches it."""

    world: World
    http: httpx2.AsyncClient
    endpoints: Endpoints
    hunt: SecretHunt
    sink: HttpSink
    daemon: XrayDaemon
    reported: list[str] = field(default_factory=list)
    """Ids of crash reports that clients were told."""

    @property
    def mcp_url(self) -> str:
        """The MCP endpoint."""
        return self.world.stack.addresses.mcp_url

    @property
    def owner(self) -> str:
        """The connection string of the database's owner."""
        return self.world.stack.postgres.conninfo(DATABASE)

    async def travel(self) -> None:
        """Everything that people, clients, schedules and operators do, and much of what fails."""
        client = await registered(self.http, self.endpoints, f"Client {uuid4()}")
        async with self.world.person() as person:
            tokens = await client.sign_in(person, state=secrets.token_urlsafe(24))
            await self._call(tokens["access_token"])
            tokens = (await client.refresh(tokens)).raise_for_status().json()
            await self._fail_at_the_site(tokens["access_token"])
            await self._misuse(client, tokens)
            page = await AccountPage.opened(self.world, person)
            await page.press("Disconnect")
            await self._with_a_key(person)
            broken = await client.sign_in(person, state=secrets.token_urlsafe(24))
            await self._with_a_broken_database(client, broken)
            await client.revoke(broken["refresh_token"])

    async def tick(self) -> None:
        """What schedules do."""
        for name in ("token_refresh", "cleanup"):
            await self.world.stack.emulator.settled(name)
            await self.world.stack.emulator.invoke(name, Schedule(name, 60).tick())

    async def _call(self, token: str) -> None:
        for name, arguments in (
            ("search_tutorials", {"query": f"views {token}"}),
            ("get_tutorial", {"id": "nothing"}),
            ("account_status", {}),
            ("no_such_tool", {"code": token}),
        ):
            await call_tool(self.http, self.mcp_url, token, name, **arguments)

    async def _fail_at_the_site(self, token: str) -> None:
        """The site answers badly, the pair is refreshed at last."""
        control = self.world.site.control
        control.advance(3_600)
        for kind in ("error_html", "truncated"):
            control.fail(kind, route="token")
            await call_tool(self.http, self.mcp_url, token, "search", query="views")
        for kind in ("unauthorized", "not_json", "proxy_page"):
            control.fail(kind, route="jsonrpc")
            await call_tool(self.http, self.mcp_url, token, "search", query="views")
        control.clear_faults()

    async def _misuse(self, client: PlainClient, tokens: dict[str, Any]) -> None:
        """Tokens, codes and secrets where they do not belong."""
        wrong = secrets.token_urlsafe(32)
        for given in (
            {"grant_type": "authorization_code", "code": wrong, "code_verifier": wrong * 2},
            {"grant_type": "refresh_token", "refresh_token": wrong, "client_secret": wrong[::-1]},
            {"grant_type": tokens["access_token"], "scope": tokens["refresh_token"]},
        ):
            assert (await client.token(**given)).status_code >= 400
        await self.http.post(
            self.endpoints.token,
            data={"grant_type": "refresh_token", "refresh_token": tokens["access_token"]},
            auth=(client.client_id, wrong),
        )
        issuer = self.world.stack.addresses.issuer_url
        await self.http.get(f"{issuer}/oauth/callback", params={"code": wrong, "state": wrong})
        await self.http.post(self.endpoints.register, json={"client_name": tokens["access_token"]})
        for bearer in (wrong, tokens["refresh_token"], f"eyJ{wrong}.eyJ{wrong}.{wrong}"):
            await call_tool(self.http, self.mcp_url, bearer, "search", query="views")
        await self.http.post(
            self.mcp_url,
            content=f'{{"jsonrpc": "2.0", "method": "{tokens["access_token"]}"',
            headers={"content-type": "application/json", "x-request-id": tokens["access_token"]},
        )

    async def _with_a_key(self, person: Any) -> None:
        """A client that proves itself by an assertion, and one whose assertion is wrong."""
        partner = PlainClient(self.http, self.endpoints, PARTNER)
        code = await partner.code(person, state=secrets.token_urlsafe(24))
        for audience in ("https://elsewhere.example", self.endpoints.issuer):
            claims: dict[str, str | int] = {"iss": PARTNER, "sub": PARTNER, "aud": audience}
            now = int(time.time())
            claims |= {"jti": str(uuid4()), "iat": now, "exp": now + 240}
            answer = await partner.redeem(
                code,
                client_assertion_type=ASSERTION_TYPE,
                client_assertion=jwt.encode({"alg": "ES256", "kid": "1"}, claims, KEY),
            )
        await call_tool(
            self.http, self.mcp_url, answer.json()["access_token"], "search", query="forms"
        )

    async def _with_a_broken_database(self, client: PlainClient, tokens: dict[str, Any]) -> None:
        """Statements fail as in no outage: what nobody foresaw, reported with all it knows."""
        for table in BROKEN:
            await self._rename(table, "away")
            failed = await call_tool(
                self.http, self.mcp_url, tokens["access_token"], "search", query="menus"
            )
            self.reported.extend(re.findall(r'"report_id":"([0-9a-f]{32})"', failed.text))
            refused = (await client.refresh(tokens)).json()
            self.reported.extend([refused["report_id"]] if "report_id" in refused else [])
            await client.token(
                grant_type="authorization_code",
                code=secrets.token_urlsafe(32),
                code_verifier=secrets.token_urlsafe(48),
                redirect_uri=REDIRECT_URI,
            )
            await self._rename(f"{table}_away", table.removeprefix("app."), exactly=True)

    async def _rename(self, table: str, to: str, *, exactly: bool = False) -> None:
        schema, _, name = table.partition(".")
        new = to if exactly else f"{name}_{to}"
        async with await psycopg.AsyncConnection.connect(self.owner, autocommit=True) as link:
            await link.execute(
                sql.SQL("ALTER TABLE {} RENAME TO {}").format(
                    sql.Identifier(schema, name), sql.Identifier(new)
                )
            )

    async def trace_by_open_telemetry(self) -> None:
        """From now on; the environments that there are end."""
        changed = {"TRACE_PROVIDER": "opentelemetry", "OTLP_TRACES_URL": self.sink.otlp_traces_url}
        for pool in self.world.stack.emulator._pools.values():
            await pool.settled()
            for environment in pool._idle:
                await environment.stop()
            pool._spec = replace(pool._spec, environment={**pool._spec.environment, **changed})

    async def left(self) -> Left:
        """Everything it left, and keys and salts among the secrets."""
        stack = self.world.stack
        for name in ("mcp_endpoint", "oauth", "token_refresh", "cleanup"):
            await stack.emulator.settled(name)
        kms = boto3.client(
            "kms",
            endpoint_url=stack.addresses.aws_url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        tables: dict[str, str] = {}
        with psycopg.connect(self.owner) as link:
            for wrapped, generation in link.execute(
                "SELECT wrapped_key, generation FROM app.data_keys"
            ):
                opened = kms.decrypt(
                    CiphertextBlob=wrapped, EncryptionContext=data_key_context("local", generation)
                )
                self.hunt.learn_bytes("kept: data key", opened["Plaintext"])
            for (salt,) in link.execute("SELECT salt FROM app.users"):
                self.hunt.learn_bytes("kept: salt", salt)
            for (table,) in link.execute(TABLES).fetchall():
                rows = link.execute(
                    sql.SQL("SELECT (to_jsonb(t) - 'salt')::text FROM {} t").format(
                        sql.Identifier("app", table)
                    )
                ).fetchall()
                tables[f"table {table}"] = "\n".join(row[0] for row in rows)
        self.hunt.learn("settings: client_secret", self.world.site.client.secret or "")
        self.hunt.learn("settings: origin secret", stack._origin_secret)
        logs = {
            f"log {file.name}": file.read_text("utf-8", "replace")
            for file in stack.folder.logs.iterdir()
        }
        return Left(
            {
                **logs,
                **tables,
                "addresses": self.hunt.addresses_without_front_channel(),
                "x-ray": _joined(self.daemon.received),
                "otlp": _joined(self.sink.bodies("/v1/traces")),
                "sentry": _joined(self.sink.bodies("/envelope/")),
            },
            self.hunt,
        )


def _joined(parts: list[bytes]) -> str:
    return "\n".join(part.decode("latin-1") for part in parts)


@asynccontextmanager
async def begun_journey(folder: Path) -> AsyncIterator[Journey]:
    """A stack at DEBUG, traced by X-Ray, whose crash reports and timings all come here."""
    with hunting() as hunt, http_sink() as sink, xray_daemon() as daemon:
        variables = {
            "LOG_LEVEL": "DEBUG",
            "SENTRY_DSN": sink.sentry_dsn,
            "SENTRY_TRACES_SAMPLE_RATE": "1",
            "TRACE_PROVIDER": "xray",
            "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
            "PREREGISTERED_CLIENTS": json.dumps(CLIENTS),
        }
        async with running_world(folder, variables=variables) as world, plain_http() as http:
            issuer = world.stack.addresses.issuer_url
            endpoints = await Endpoints.of_metadata(http, issuer)
            yield Journey(world, http, endpoints, hunt, sink, daemon)


@pytest.mark.timeout(300)
async def test_what_a_journey_leaves_can_be_followed_and_holds_no_secret(tmp_path: Path) -> None:
    async with begun_journey(tmp_path) as journey:
        await follow_three_errors_to_the_site(journey)
        await journey.travel()
        await journey.tick()
        await journey.trace_by_open_telemetry()
        await journey.travel()
        left = await journey.left()
        planted = await plant_one_secret_everywhere(journey, left)
        then = await journey.left()

    told = journey.reported
    assert len(told) >= len(BROKEN)
    assert [one for one in told if left.texts["sentry"].count(f'"event_id":"{one}"') == 0] == []
    assert KINDS - left.hunt.kinds() == set()
    for place, signs in WATCHED.items():
        assert [sign for sign in signs if sign not in left.texts[place]] == [], place
    assert left.leaks() == {}
    assert set(then.leaks()) == planted, "a leak anywhere would be found"


async def follow_three_errors_to_the_site(journey: Journey) -> None:
    """As docs/tracing.md does it: from what a client is told, by the correlation id alone."""
    control, http = journey.world.site.control, journey.http
    client = await registered(http, journey.endpoints)
    async with journey.world.person() as person:
        tokens = await client.sign_in(person)
        control.fail("error_html", route="jsonrpc", times=2)
        call = await call_tool(
            http, journey.mcp_url, tokens["access_token"], "search", query="views"
        )
        followed(journey, call.text, ["tool ended with an error", "POST /jsonrpc"])

        control.advance(3_600)
        control.fail("error_html", route="token", grant_type="refresh_token", times=3)
        refresh = await call_tool(
            http, journey.mcp_url, tokens["access_token"], "search", query="views"
        )
        followed(journey, refresh.text, ["tool ended with an error", "POST /oauth/token"])

        control.clear_faults()
        control.fail("error_html", route="token", grant_type="authorization_code", times=3)
        with pytest.raises(BrowserError) as page:
            await client.sign_in(person)
        followed(journey, str(page.value), ["request refused", "POST /oauth/token"])
        control.clear_faults()


def followed(journey: Journey, told: str, expected: list[str]) -> None:
    """The id in what a client was told leads through our log to the site's."""
    named = re.search(r"(?:correlation id|reference:) ([0-9a-f]{32})", told)
    assert named is not None, told
    steps = steps_of(
        named[1],
        logs=journey.world.stack.folder.logs,
        requests=[asdict(entry) for entry in journey.world.site.control.requests()],
    )
    found = [step.what for step in steps]
    assert [what for what in ["invocation started", *expected] if what not in found] == []
    at_site = [step.facts for step in steps if step.where == "site"]
    assert {str(facts["traceparent"]).split("-")[1] for facts in at_site} == {named[1]}


async def plant_one_secret_everywhere(journey: Journey, left: Left) -> set[str]:
    """Leak into every place, each time another kind of secret; the places."""
    hunted = itertools.cycle(list(left.hunt.secrets))
    logs = journey.world.stack.folder.logs
    for file in logs.iterdir():
        with file.open("a", encoding="utf-8") as log:
            log.write(f"{next(hunted)}\n")
    async with await psycopg.AsyncConnection.connect(journey.owner, autocommit=True) as link:
        for table, column in TEXTS.items():
            await link.execute(
                sql.SQL("UPDATE app.{} SET {} = %s").format(
                    sql.Identifier(table), sql.Identifier(column)
                ),
                [next(hunted)],
            )
    for path in ("/v1/traces", "/api/1/envelope/"):
        await journey.http.post(f"{journey.sink.url}{path}", content=next(hunted).encode())
    journey.daemon.received.append(next(hunted).encode())
    verifier = next(one for one, seen_as in left.hunt.secrets.items() if "verifier" in seen_as)
    await journey.http.get(f"{journey.world.stack.addresses.issuer_url}/nothing?v={verifier}")
    places = {f"log {file.name}" for file in logs.iterdir()}
    return places | {f"table {name}" for name in TEXTS} | {"x-ray", "otlp", "sentry", "addresses"}
