"""Parameters of query strings and form bodies, each at most once (OAuth 2.1 sections 3.1 and 3.2).

Nothing here trusts a value: it bounds size and characters, and leaves meaning to the flows.
"""

import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.requests import Request

from functions.oauth.refusals import (
    BodyTooLargeError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
)
from shared.domain.identifiers import ClientId

PARAMETERS_MAX = 50
QUERY_BYTES_MAX = 16_000
FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"
RESOURCE = "resource"

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# RFC 6749 section 8.2. Readers that know arrays take ``scope[]`` for ``scope``, others do not.
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class Parameters:
    """Parsed parameters. A parameter without a value counts as omitted (RFC 6749 section 3.1)."""

    def __init__(
        self, pairs: Iterable[tuple[str, str]], *, proven_client: ClientId | None = None
    ) -> None:
        self._pairs = tuple(pairs)
        self.proven_client = proven_client
        counts = Counter(name for name, _ in self._pairs)
        self.repeated: frozenset[str] = frozenset(name for name in counts if counts[name] > 1)

    def get(self, name: str) -> str | None:
        """The first value of ``name``; None when absent or empty."""
        return next((value for known, value in self._pairs if known == name and value), None)

    def require(self, name: str) -> str:
        """The value of ``name``.

        Raises:
            InvalidRequestError: it is absent or empty.
        """
        value = self.get(name)
        if value is None:
            raise InvalidRequestError(name)
        return value

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of ``name`` that is not empty."""
        return tuple(value for known, value in self._pairs if known == name and value)

    def proven_as(self, client_id: ClientId) -> "Parameters":
        """The same parameters, of a client that has proven to be ``client_id``."""
        others = (pair for pair in self._pairs if pair[0] != "client_id")
        return Parameters([*others, ("client_id", client_id)], proven_client=client_id)

    def spoken_by(self, client_id: ClientId) -> "Parameters":
        """The same parameters, of a client that says it is ``client_id`` and has not proven it."""
        others = (pair for pair in self._pairs if pair[0] != "client_id")
        return Parameters([*others, ("client_id", client_id)])

    def refuse_repeated(self) -> None:
        """Refuse parameters sent twice; of ``resource`` its own rule decides (RFC 8707).

        Raises:
            InvalidRequestError: two parties could each read another value.
        """
        if self.repeated - {RESOURCE}:
            raise InvalidRequestError


def parse(raw: bytes) -> Parameters:
    """Parse URL-encoded ``raw``.

    Raises:
        InvalidRequestError: not UTF-8, control characters, names that are none, or too many.
    """
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:  # UnicodeDecodeError is one
        raise InvalidRequestError from None
    if any(not _NAME.fullmatch(name) or _CONTROL.search(value) for name, value in pairs):
        raise InvalidRequestError
    return Parameters(pairs)


def parse_query(request: Request) -> Parameters:
    """The query string's parameters.

    Raises:
        InvalidRequestError: too long or malformed.
    """
    raw: bytes = request.scope["query_string"]
    if len(raw) > QUERY_BYTES_MAX:
        raise InvalidRequestError
    return parse(raw)


def claim_client(request: Request, parameters: Parameters) -> None:
    """Note which client the request says it is from, proven or not."""
    request.state.claimed_client = parameters.get("client_id")


def claimed_client(request: Request) -> str | None:
    """Which client the request says it is from, if that was said and read."""
    claimed: str | None = getattr(request.state, "claimed_client", None)
    return claimed


async def parse_form(request: Request, *, bytes_max: int) -> Parameters:
    """The form body's parameters, each once.

    Raises:
        UnsupportedMediaTypeError: not a form.
        BodyTooLargeError: more than ``bytes_max`` bytes.
        InvalidRequestError: malformed or repeated parameters, or some in the address.
    """
    body = await read_body(request, media_type=FORM_TYPE, bytes_max=bytes_max)
    parameters = parse(body)
    parameters.refuse_repeated()
    return parameters


async def read_body(request: Request, *, media_type: str, bytes_max: int) -> bytes:
    """The body, if it is of ``media_type`` and not larger than ``bytes_max``.

    Nothing may stand in the address beside it: that would be logged on the way, and could be taken
    for a second value of something in the body (RFC 6749 section 2.3.1).

    Raises:
        InvalidRequestError: the address has parameters.
        UnsupportedMediaTypeError: another content type.
        BodyTooLargeError: known as soon as the limit is passed.
    """
    if request.scope["query_string"]:
        raise InvalidRequestError
    given = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if given != media_type:
        raise UnsupportedMediaTypeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise BodyTooLargeError
    return bytes(body)
