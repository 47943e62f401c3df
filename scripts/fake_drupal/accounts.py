"""The people of the fake site, their passwords and what each role may do: the one list of them.

These are made-up demo accounts; never add a password that is used anywhere else.
"""

from dataclasses import dataclass

MEMBER_ROLE = "member"

USE_JSONRPC = "use jsonrpc services"
DISCOVER_TOOLS = "access mcp tool discovery"
GRANT_CODES = "grant simple_oauth codes"
SEARCH_CONTENT = "search tutorials"
READ_CONTENT = "access content"
READ_MEMBER_CONTENT = "view member tutorials"
ADMINISTER = "administer site configuration"
DEBUG_TOKENS = "debug simple_oauth tokens"

ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    "anonymous": frozenset({READ_CONTENT}),
    "authenticated": frozenset(
        {USE_JSONRPC, DISCOVER_TOOLS, GRANT_CODES, SEARCH_CONTENT, READ_CONTENT, DEBUG_TOKENS}
    ),
    MEMBER_ROLE: frozenset({READ_MEMBER_CONTENT}),
    "lapsed": frozenset(),
    "editor": frozenset({READ_MEMBER_CONTENT, "edit tutorials"}),
    "administrator": frozenset({ADMINISTER, READ_MEMBER_CONTENT, "edit tutorials"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Drupal user; ``updated`` counts saves and is a Unix time in seconds."""

    uid: int
    name: str
    password: str
    roles: tuple[str, ...] = ()
    blocked: bool = False
    updated: int = 1_700_000_000
    bookmarks: tuple[str, ...] = ()

    @property
    def mail(self) -> str:
        """An address that can never be delivered to."""
        return f"{self.name}@example.com"


def _demo(uid: int, name: str, *roles: str, blocked: bool = False) -> Account:
    """A demo account; its password is its name with ``-demo`` behind it."""
    return Account(uid=uid, name=name, password=f"{name}-demo", roles=roles, blocked=blocked)


DEMO_ACCOUNTS: tuple[Account, ...] = (
    _demo(1, "admin", "administrator"),
    _demo(2, "maya", MEMBER_ROLE),
    _demo(3, "felix"),
    _demo(4, "lena", "lapsed"),
    _demo(5, "bruno", blocked=True),
    _demo(6, "edith", "editor", MEMBER_ROLE),
)

ADMIN, MEMBER, FREE, LAPSED, BLOCKED, EDITOR = DEMO_ACCOUNTS
