"""Lambda@Edge on the origin response: ``X-Mcp-Challenge`` becomes ``WWW-Authenticate`` again.

A Function URL renames ``WWW-Authenticate``, and a CloudFront Function is not run for answers of
400 and more; this is. It runs at the edge, so it must never import anything outside the standard
library, read an environment variable or log a header.
"""

from typing import TypedDict

COPY_HEADER = "x-mcp-challenge"
RENAMED_HEADER = "x-amzn-remapped-www-authenticate"
CHALLENGE_HEADER = "www-authenticate"


class EdgeHeader(TypedDict):
    """One header line as CloudFront hands it over."""

    key: str
    value: str


class EdgeResponse(TypedDict):
    """The part of an origin response that this function touches."""

    status: str
    headers: dict[str, list[EdgeHeader]]


def handler(event: dict[str, list[dict[str, dict[str, EdgeResponse]]]], _: object) -> EdgeResponse:
    """Return the origin's response with exactly one challenge header where there was one."""
    response = event["Records"][0]["cf"]["response"]
    headers = response["headers"]
    renamed = headers.pop(RENAMED_HEADER, None)
    challenge = headers.get(COPY_HEADER) or renamed
    if challenge:
        headers[CHALLENGE_HEADER] = [{"key": "WWW-Authenticate", "value": challenge[0]["value"]}]
    return response
