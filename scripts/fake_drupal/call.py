"""One request to the fake site, read completely.

Never carries anything of the answer.
"""

import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Method, path, parameters, headers and body of a request; header names are lower case."""

    method: str
    path: str
    query_string: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes
    form: Mapping[str, str]
    origin: str
    remote: str

    @property
    def wants_json(self) -> bool:
        """Drupal decides by the query alone; it ignores Accept."""
        return self.query.get("_format") == "json"

    def json(self) -> object:
        """The body as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.body)

    def basic_credentials(self) -> tuple[str, str] | None:
        """User and password of HTTP Basic (RFC 7617)."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        try:
            user, colon, password = b64decode(value).decode().partition(":")
        except (Base64Error, UnicodeDecodeError):
            return None
        return (user, password) if colon else None


async def read_call(request: Request) -> Call:
    """Read the whole request."""
    body = await request.body()
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = _pairs(body.decode(errors="replace")) if content_type == FORM_TYPE else {}
    return Call(
        method=request.method,
        path=request.url.path,
        query_string=request.url.query,
        query=_pairs(request.url.query),
        headers=dict(request.headers),
        cookies=dict(request.cookies),
        body=body,
        form=form,
        origin=f"{request.url.scheme}://{request.headers.get('host', 'localhost')}",
        remote=request.client.host if request.client else "",
    )


def _pairs(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))
