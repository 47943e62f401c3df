"""One fake Drupal site: its state, keys, clock and switches, and who may do what.

Never speaks HTTP; the endpoints do.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.fake_drupal.accounts import ROLE_PERMISSIONS, Account
from scripts.fake_drupal.behaviours import Behaviours
from scripts.fake_drupal.clock import SiteClock
from scripts.fake_drupal.content.catalogue import ContentItem, load_catalogue
from scripts.fake_drupal.dialects import Dialect
from scripts.fake_drupal.faults import FaultPlan
from scripts.fake_drupal.keys import SiteKeys
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.request_log import RequestLog
from scripts.fake_drupal.store import Store


class AccountUnknownError(Exception):
    """No account of that name."""


@dataclass(slots=True)
class Caches:
    """Drupal's caches, with the two defects that matter: results leak, errors stick."""

    pages: dict[tuple[str, frozenset[str]], tuple[int, bytes]] = field(default_factory=dict)
    describe_error: tuple[int, dict[str, object]] | None = None

    def clear(self) -> None:
        """What an administrator does with "Clear all caches"."""
        self.pages.clear()
        self.describe_error = None


class Site:
    """The site. ``fixture_methods`` adds JSON-RPC methods that fail in every known way."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        data_dir: Path | None = None,
        clients: Iterable[OAuthClient] = (),
        fixture_methods: bool = False,
    ) -> None:
        if data_dir is not None:
            data_dir.mkdir(parents=True, exist_ok=True)
        self.dialect = dialect
        self.fixture_methods = fixture_methods
        self.clock = SiteClock()
        self.keys = SiteKeys(data_dir)
        self.store = Store(data_dir / "site.sqlite3" if data_dir else None)
        self.behaviours = Behaviours()
        self.faults = FaultPlan()
        self.log = RequestLog()
        self.caches = Caches()
        self.failed_logins: dict[str, int] = {}
        self.content: dict[str, ContentItem] = load_catalogue()
        for client in clients:
            self.store.clients.put(client.client_id, client)

    def permissions(self, account: Account | None, roles: Iterable[str] = ()) -> frozenset[str]:
        """What somebody with these roles may do; without an account they are anonymous."""
        held = {"anonymous"} if account is None else {"authenticated", *roles}
        granted: set[str] = set()
        for role in held:
            base = set(ROLE_PERMISSIONS.get(role, frozenset()))
            base |= set(self.behaviours.permissions_added.get(role, ()))
            granted |= base - set(self.behaviours.permissions_removed.get(role, ()))
        return frozenset(granted)

    def effective_roles(self, account: Account, scopes: Iterable[str]) -> tuple[str, ...]:
        """Roles lent by the scopes, as far as the person holds them, besides ``authenticated``.

        A scope for a role that the person does not hold lends nothing.
        """
        offered = (self.dialect.scope(name) for name in scopes)
        lent = {scope.role for scope in offered if scope is not None}
        return tuple(role for role in account.roles if role in lent)

    def account_named(self, name: str) -> Account:
        """The account with that user name.

        Raises:
            AccountUnknownError: there is none.
        """
        account = self.store.account_named(name)
        if account is None:
            raise AccountUnknownError(name)
        return account

    def save_account(self, account: Account) -> None:
        """Save a user as Drupal does: every access token of theirs is deleted at once."""
        self.store.accounts.put(str(account.uid), replace(account, updated=int(self.clock.now())))
        self.store.revoke_access_tokens(uid=account.uid)

    def save_client(self, client: OAuthClient) -> None:
        """Save a consumer as Drupal does: every access token issued to it is deleted at once."""
        self.store.clients.put(client.client_id, client)
        self.store.revoke_access_tokens(client_id=client.client_id)

    def reset(self) -> None:
        """Switches, faults, clock, caches and accounts back to the start; tokens stay."""
        self.behaviours = Behaviours()
        self.faults.clear()
        self.clock.reset()
        self.caches.clear()
        self.failed_logins.clear()
        self.log.clear()
        self.store.restore_accounts()
