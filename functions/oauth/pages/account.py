"""Words of the account page: what a change is answered with, and one connection's lines.

Times are shown in UTC, because a page without a script cannot know the person's time zone.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

from functions.oauth.pages.destinations import destination_of
from shared.domain.account_page import REFUSED_NOTICE, Connection
from shared.domain.scopes import SCOPE_TEXTS, Scope
from shared.domain.tokens import PlainToken

_KNOWN_SCOPES = frozenset(scope.value for scope in Scope)


class Notice(StrEnum):
    """What has just happened. Its value travels in an address: it must prove and change nothing."""

    DISCONNECTED = "disconnected"
    ALL_DISCONNECTED = "all_disconnected"
    NOT_CONNECTED = "not_connected"
    SIGNED_OUT = "signed_out"
    VISIT_OVER = "visit_over"
    ACCOUNT_REFUSED = REFUSED_NOTICE
    ACCOUNT_CHECKED = "account_checked"

    @classmethod
    def of(cls, value: str | None) -> "Notice | None":
        """The notice of this value, if there is one."""
        return next((notice for notice in cls if notice.value == value), None)


NOTICE_TEXTS: dict[Notice, str] = {
    Notice.DISCONNECTED: "The application was disconnected. It cannot use your account any more.",
    Notice.ALL_DISCONNECTED: (
        "All applications were disconnected. None of them can use your account any more."
    ),
    Notice.NOT_CONNECTED: "That application was not connected any more. Nothing was changed.",
    Notice.SIGNED_OUT: "You are signed out of this page. Your applications stay connected.",
    Notice.VISIT_OVER: (
        "You were signed out of this page, because some time has passed. Nothing was changed. "
        "Sign in again to go on."
    ),
    Notice.ACCOUNT_REFUSED: (
        "An application was told that your account is not accepted at the moment. Sign in to see "
        "whether it works again."
    ),
    Notice.ACCOUNT_CHECKED: ("Your account works. Go back to your application and ask again."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The page of one visit: connections last used first, and how many more there are."""

    connections: tuple[Connection, ...]
    more: int
    proof: PlainToken = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownConnection:
    """One connection in words."""

    grant_id: str
    name: str
    origin: str | None
    returns_to: str
    place: str | None
    scopes: tuple[str, ...]
    connected: str
    connected_at: str
    used: str
    used_at: str


def shown(connection: Connection) -> ShownConnection:
    """``connection`` in words."""
    uri = connection.client_uri
    destination = destination_of(connection.redirect_uri)
    return ShownConnection(
        grant_id=str(connection.grant_id),
        name=connection.client_name,
        origin=urlsplit(uri).netloc or None if uri else None,
        returns_to=destination.name,
        # The machine that it was connected from need not be the one in front of the person now.
        place="an application on a computer or device" if destination.warning else None,
        scopes=tuple(
            SCOPE_TEXTS[Scope(scope)] for scope in connection.scopes if scope in _KNOWN_SCOPES
        ),
        connected=_in_words(connection.connected_at),
        connected_at=_exact(connection.connected_at),
        used=_in_words(connection.last_used_at),
        used_at=_exact(connection.last_used_at),
    )


def _in_words(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def _exact(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
