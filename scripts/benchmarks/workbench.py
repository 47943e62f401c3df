"""A stack with a signed-in person, and every function ready to be started from its artifact.

Never touches a kept stack: folder and ports are its own and gone afterwards.
"""

import contextlib
import dataclasses
import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from scripts.artifacts.build import Artifacts, current_artifacts
from scripts.benchmarks.yardstick_artifacts import BARE, EMPTY, FOLDER, copy_of, yardstick
from scripts.fake_drupal.accounts import MEMBER
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, connected_client
from scripts.local_stack.fake_site import CLIENT_ID, SiteControl, client_secret
from scripts.local_stack.options import FakeSite, RealSite, StackOptions
from scripts.local_stack.person import Person
from scripts.local_stack.stack import Stack, running_stack
from shared.settings import UpstreamSettings
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite

NO_LIMITS: Final = {"CALL_LIMITS_FACTOR": "10000", "CALLS_IN_FLIGHT_MAX": "100"}
"""One person calls as a crowd would: what is measured is the work, not its refusal."""
_NEVER_SECONDS: Final = 86_400.0
_SITE_TOKEN_SECONDS: Final = 86_400
_TIMEOUT_SECONDS: Final = 30.0
SEARCH_METHOD: Final[str] = UpstreamSettings.model_fields["drupal_search_method"].default
READ_METHOD: Final[str] = UpstreamSettings.model_fields["drupal_read_method"].default


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """Where functions are measured."""

    stack: Stack
    artifacts: Artifacts
    copies: Path
    """For copies of artifacts, on their file system."""
    access_token: str = field(repr=False)
    """Ours, of a signed-in member."""
    site_token: str = field(repr=False)
    """The site's own, of the same member: the bare server has no other."""

    @property
    def host(self) -> str:
        """What our endpoint wants to be called, wherever it listens."""
        return urlsplit(self.stack.addresses.mcp_url).netloc

    def function(self, name: str) -> FunctionSpec:
        """A function as the stack runs it from its artifact, at an address of its own."""
        spec = next(spec for spec in self.stack.functions if spec.name == name)
        return dataclasses.replace(spec, name=f"measured_{name}", port=0, environments_max=1)

    def empty_function(self) -> FunctionSpec:
        """The function that does nothing."""
        spec = FunctionSpec(name=EMPTY, handler=f"{EMPTY}.handler")
        return self._on_platform(spec, yardstick(EMPTY))

    def bare_server(self, *, json_response: bool) -> FunctionSpec:
        """The bare SDK server, answering JSON or (2025 revisions) server-sent events."""
        environment = {
            "SITE_URL": self.stack.addresses.drupal_url,
            "SITE_ACCESS_TOKEN": self.site_token,
            "SITE_SEARCH_METHOD": SEARCH_METHOD,
            "JSON_RESPONSE": "1" if json_response else "0",
        }
        name = f"{BARE}_{'json' if json_response else 'stream'}"
        spec = FunctionSpec(name=name, handler=f"{BARE}.handler", environment=environment)
        return self._on_platform(spec, yardstick(BARE))

    def without_byte_code(self, spec: FunctionSpec) -> FunctionSpec:
        """The same function from sources only."""
        code = copy_of(spec.task_folder, self.copies / "sources" / spec.name, byte_code=False)
        wrapper = spec.environment.get("AWS_LAMBDA_EXEC_WRAPPER", "")
        if wrapper:
            wrapper = str(code / Path(wrapper).relative_to(spec.task_folder))
        environment = {**spec.environment, "AWS_LAMBDA_EXEC_WRAPPER": wrapper}
        return dataclasses.replace(self._on_platform(spec, code), environment=environment)

    def _on_platform(self, spec: FunctionSpec, code: Path) -> FunctionSpec:
        return dataclasses.replace(
            spec,
            environments_max=1,
            task_folder=code,
            interpreter=str(self.artifacts.python),
            import_folders=(code, self.artifacts.runtime_client),
        )


@contextlib.asynccontextmanager
async def workbench() -> AsyncIterator[Workbench]:
    """A fresh stack without schedules, a member signed in; gone afterwards.

    Raises:
        BuildError: an artifact could not be built.
        NoPythonError: nothing here can run the artifacts.
    """
    built = current_artifacts()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=FOLDER) as copies,
        tempfile.TemporaryDirectory(prefix="dmcp-bench-", ignore_cleanup_errors=True) as data,
    ):
        # A copy: somebody may build anew while we measure.
        artifacts = Artifacts(copy_of(built.folder, Path(copies) / "artifacts"))
        options = StackOptions(
            Path(data),
            FakeSite(),
            fixed_ports=False,
            refresh_interval_seconds=_NEVER_SECONDS,
            cleanup_interval_seconds=_NEVER_SECONDS,
            artifacts=artifacts,
            more_variables=NO_LIMITS,
        )
        async with running_stack(options) as stack, ScriptedBrowser() as browser:
            # No refresh may fall into a measurement.
            switches = {"access_token_seconds": _SITE_TOKEN_SECONDS}
            await SiteControl(stack.addresses.drupal_url).send("behaviours", switches)
            person = Person(browser, MEMBER.name, MEMBER.password)
            yield Workbench(
                stack=stack,
                artifacts=artifacts,
                copies=Path(copies),
                access_token=await _our_token(stack, person),
                site_token=await _site_token(stack, person),
            )


def _site(stack: Stack) -> RealSite:
    return RealSite(stack.addresses.drupal_url, CLIENT_ID, client_secret(stack.folder))


async def _our_token(stack: Stack, person: Person) -> str:
    memory = ClientMemory()
    async with connected_client(stack.addresses.mcp_url, person, memory):
        pass
    if memory.tokens is None:
        raise RuntimeError("the client was not asked to sign in")
    return memory.tokens.access_token


async def _site_token(stack: Stack, person: Person) -> str:
    redirect_uri = f"{stack.addresses.issuer_url}/oauth/callback"
    site = _site(stack)
    oauth = DrupalOAuth(
        DrupalSite(
            base_url=site.base_url,
            client_id=site.client_id,
            client_secret=site.client_secret,
            scopes=UpstreamSettings.model_fields["drupal_scopes"].default,
            redirect_uri=redirect_uri,
        )
    )
    verifier = secrets.token_urlsafe(48)
    url = oauth.authorization_url(state=secrets.token_urlsafe(16), code_verifier=verifier)
    arrived = await person.sign_in(url, redirect_uri)
    code = parse_qs(urlsplit(arrived).query)["code"][0]
    pair = await oauth.redeem_code(code, code_verifier=verifier, timeout_seconds=_TIMEOUT_SECONDS)
    return pair.access_token
