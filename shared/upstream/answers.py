"""An upstream answer reduced to what classification needs.

Never keeps cookies or other upstream headers: they end here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

RETRY_AFTER_SECONDS_MAX = 3_600
"""A larger ``Retry-After`` is a mistake of a proxy: nobody waits for hours on its word."""
_MAINTENANCE_BYTES_READ = 65_536
_MAINTENANCE = re.compile(rb"under\s+maintenance|maintenance\s+mode", re.IGNORECASE)
# Written as an escape, or as three bytes that no UTF-8 has and Python's parser takes.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
# Drupal puts unescaped quotes inside quoted strings, so only the two members that it never
# decorates are looked for, each from its own start.
_CHALLENGE_SCHEME = re.compile(r"\s*([A-Za-z]+)")
_CHALLENGE_ERROR = re.compile(r'\berror="([a-z_]{1,64})"')
_CHALLENGE_SCOPE = re.compile(r'\bscope="([\x21\x23-\x5b\x5d-\x7e ]{0,1000})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer of the site; its body is shown nowhere."""

    status: int
    challenge: str = field(default="", repr=False)
    """The value of ``WWW-Authenticate``."""
    retry_after: str = ""
    body: bytes = field(default=b"", repr=False)

    @property
    def document(self) -> Any:
        """The body as JSON, or None: the content type is not believed, proxies get it wrong."""
        if self.body.lstrip()[:1] not in (b"{", b"["):
            return None
        try:
            document = json.loads(self.body)
            return _whole_characters(document) if _SURROGATE.search(self.body) else document
        except (ValueError, RecursionError):
            return None

    @property
    def json_object(self) -> Mapping[str, Any] | None:
        """The body as a JSON object, or None."""
        document = self.document
        return document if isinstance(document, dict) else None

    @property
    def challenge_scheme(self) -> str:
        """Scheme of the challenge in lower case (RFC 9110 section 11.6.1), or an empty string."""
        match = _CHALLENGE_SCHEME.match(self.challenge)
        return match.group(1).lower() if match else ""

    @property
    def challenge_error(self) -> str:
        """The challenge's ``error`` (RFC 6750 section 3), or an empty string."""
        match = _CHALLENGE_ERROR.search(self.challenge)
        return match.group(1) if match else ""

    @property
    def challenge_scopes(self) -> tuple[str, ...]:
        """The challenge's ``scope`` (RFC 6750 section 3): the scopes that are missing."""
        match = _CHALLENGE_SCOPE.search(self.challenge)
        return tuple(match.group(1).split()) if match else ()

    @property
    def speaks_of_maintenance(self) -> bool:
        """Whether the body is Drupal's maintenance page or text."""
        return _MAINTENANCE.search(self.body[:_MAINTENANCE_BYTES_READ]) is not None

    def retry_after_seconds(self, now: datetime | None = None) -> int | None:
        """``Retry-After`` (RFC 9110 section 10.2.3) in seconds, at least 1; None without sense."""
        text = self.retry_after.strip()
        if text.isascii() and text.isdigit():
            return max(1, min(int(text[:10]), RETRY_AFTER_SECONDS_MAX))
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = int((at - (now or datetime.now(UTC))).total_seconds())
        return max(1, min(seconds, RETRY_AFTER_SECONDS_MAX))


def _whole_characters(document: Any) -> Any:
    """``document`` without halves of surrogate pairs, which JSON can say and no text can hold."""
    text = json.dumps(document, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
