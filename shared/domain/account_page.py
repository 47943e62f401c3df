"""The account page, where a person sees which clients act for them and disconnects them.

A visit begins with a sign-in at Drupal and is bound to one browser.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain.identifiers import GrantId

ACCOUNT_PATH: Final = "/account"
NOTICE_PARAMETER: Final = "done"
REFUSED_NOTICE: Final = "account_refused"
"""Says at the page that the site refuses the person, and asks them to sign in there again."""
VISIT_IDLE_SECONDS_MAX = 1_800
"""A visit ends when the page was not used for this long."""
VISIT_SECONDS_MAX = 7_200
"""And at this age at the latest: looking through a list takes minutes."""
CONNECTIONS_SHOWN_MAX = 100
"""So many are listed, those used last; ending all ends the others, too."""


def account_check_url(issuer: str) -> str:
    """Where a person goes whom the site refuses: the same address for everybody, with no secret."""
    return f"{issuer}{ACCOUNT_PATH}?{NOTICE_PARAMETER}={REFUSED_NOTICE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One grant as its person sees it. Name, address and site are the client's own claims."""

    grant_id: GrantId
    client_name: str
    client_uri: str | None
    redirect_uri: str
    scopes: tuple[str, ...]
    connected_at: datetime
    last_used_at: datetime
    """Exact to five minutes."""
