"""Replays what a client sends, as a transcript has it, against a running stack.

A transcript is data: requests with placeholders in braces, and what must be in each answer. What an
answer brings (ids, codes, tokens) is kept under a name and put into the requests that follow.

A client with a document sends the same but for two things: it does not register, for its id is the
document's address, and it returns to an address of the document.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field

from shared.domain import pkce
from tests.journeys.world import World

FOLDER: Final = Path(__file__).parent / "transcripts"
DOCUMENTS: Final = Path(__file__).parent / "documents"
VERIFIER: Final = "v" * 64
STATE: Final = "state-of-the-client"
ANYTHING: Final = "*"
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Request(_Part):
    """One HTTP request, with a JSON or a form body or none."""

    method: str
    url: str
    headers: dict[str, str] = {}
    json_body: Any = Field(default=None, alias="json")
    form: dict[str, str] | None = None


class Answer(_Part):
    """What must be in the answer: headers match patterns, members are equal or there at all."""

    status: int
    headers: dict[str, str] = {}
    members: dict[str, Any] = {}
    absent: list[str] = []
    keep: dict[str, str] = {}


class SignIn(_Part):
    """What the client opens in its user's browser."""

    endpoint: str
    redirect_uri: str
    query: dict[str, str]


class Step(_Part):
    """A request with its answer, or a sign-in."""

    what: str
    request: Request | None = None
    answer: Answer | None = None
    sign_in: SignIn | None = None


class Transcript(_Part):
    """One client, from discovery to a call with a refreshed token."""

    client: str
    steps: list[Step]


def transcript_of(client: str) -> Transcript:
    """The transcript of a client."""
    return Transcript.model_validate_json((FOLDER / f"{client}.json").read_text("utf-8"))


class PublishedDocument(_Part):
    """A client's document as its vendor publishes it, and where the client returns to with it."""

    client: str
    returns_to: str
    document: dict[str, Any]

    @property
    def client_id(self) -> str:
        """The address of the document."""
        return str(self.document["client_id"])


def published_documents() -> list[PublishedDocument]:
    """The documents of all clients that have one."""
    texts = (path.read_text("utf-8") for path in sorted(DOCUMENTS.iterdir()))
    return [PublishedDocument.model_validate_json(text) for text in texts]


def by_document(transcript: Transcript, published: PublishedDocument) -> Transcript:
    """What the client sends when it does not register but names its document."""
    (signing_in,) = (step.sign_in for step in transcript.steps if step.sign_in)
    text = transcript.model_dump_json(by_alias=True)
    moved = Transcript.model_validate_json(
        text.replace(signing_in.redirect_uri, published.returns_to).replace(
            "{client_id}", published.client_id
        )
    )
    steps = [step for step in moved.steps if not _registers(step)]
    assert len(steps) == len(moved.steps) - 1
    for step in steps:
        if step.answer is not None and "authorization_endpoint" in step.answer.keep:
            step.answer.members.update(
                client_id_metadata_document_supported=True,
                authorization_response_iss_parameter_supported=True,
            )
    return Transcript(client=transcript.client, steps=steps)


def _registers(step: Step) -> bool:
    return step.request is not None and step.request.url == "{registration_endpoint}"


async def replay(transcript: Transcript, world: World) -> None:
    """Send every request in turn; each answer must be what the transcript says."""
    addresses = world.stack.addresses
    kept = {
        "mcp": addresses.mcp_url,
        "mcp_origin": urlsplit(addresses.mcp_url)._replace(path="").geturl(),
        "issuer": addresses.issuer_url,
        "verifier": VERIFIER,
        "challenge": pkce.challenge_of(VERIFIER),
        "state": STATE,
    }
    async with httpx2.AsyncClient(follow_redirects=False, timeout=30.0) as http:
        for step in transcript.steps:
            if step.sign_in is not None:
                kept["code"] = await _signed_in(world, _filled(step.sign_in.model_dump(), kept))
                continue
            assert step.request is not None
            assert step.answer is not None
            answer = await _sent(http, step.request, kept)
            _check(step, answer, kept)


async def _signed_in(world: World, asked: Mapping[str, Any]) -> str:
    address = f"{asked['endpoint']}?{urlencode(asked['query'])}"
    async with world.person() as person:
        back = await person.sign_in(address, asked["redirect_uri"])
    answered = dict(parse_qsl(urlsplit(back).query))
    assert answered.get("state") == asked["query"].get("state"), answered
    assert answered["iss"] == world.stack.addresses.issuer_url
    return answered["code"]


async def _sent(
    http: httpx2.AsyncClient, request: Request, kept: Mapping[str, str]
) -> httpx2.Response:
    return await http.request(
        request.method,
        _filled(request.url, kept),
        headers=_filled(request.headers, kept),
        json=_filled(request.json_body, kept),
        data=_filled(request.form, kept),
    )


def _check(step: Step, answer: httpx2.Response, kept: dict[str, str]) -> None:
    expected = step.answer
    assert expected is not None
    assert answer.status_code == expected.status, (step.what, answer.status_code, answer.text)
    for name, pattern in expected.headers.items():
        found = answer.headers.get(name, "")
        assert re.search(_filled(pattern, kept), found), (step.what, name, found)
    if not (expected.members or expected.absent or expected.keep):
        return
    body = answer.json()
    for name, value in _filled(expected.members, kept).items():
        assert name in body, (step.what, name, body)
        assert value == ANYTHING or body[name] == value, (step.what, name, body[name])
    assert not set(expected.absent) & set(body), (step.what, body)
    assert None not in body.values(), step.what
    kept.update({name: body[member] for name, member in expected.keep.items()})


def _filled(value: Any, kept: Mapping[str, str]) -> Any:
    """``value`` with what was kept in place of its placeholders."""
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda found: kept[found[1]], value)
        case list():
            return [_filled(one, kept) for one in value]
        case dict():
            return {name: _filled(one, kept) for name, one in value.items()}
        case _:
            return value
