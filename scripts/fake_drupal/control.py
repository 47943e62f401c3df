"""Everything a test or a person can do to the fake site from behind.

The same verbs are offered in process (this class) and over HTTP (``control_endpoint``). Never
returns a token.
"""

from dataclasses import replace

from scripts.fake_drupal.accounts import Account
from scripts.fake_drupal.behaviours import SearchOutage
from scripts.fake_drupal.faults import Fault, FaultKind, Gate, RouteClass
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.request_log import LogEntry
from scripts.fake_drupal.site import Site


class Control:
    """Levers of one site. Names of people are user names such as ``maya``."""

    def __init__(self, site: Site) -> None:
        self._site = site

    # faults of single requests
    def fail(
        self,
        kind: FaultKind | str,
        *,
        route: RouteClass | str = RouteClass.ANY,
        times: int = 1,
        skip: int = 0,
        rpc_method: str | None = None,
        grant_type: str | None = None,
    ) -> None:
        """Let the next ``times`` matching requests go wrong, after ``skip`` that go well."""
        self.plan(
            Fault(
                kind=FaultKind(kind),
                route=RouteClass(route),
                times=times,
                skip=skip,
                rpc_method=rpc_method,
                grant_type=grant_type,
            )
        )

    def plan(self, fault: Fault) -> None:
        """Plan a fault with all its details."""
        self._site.faults.plan(fault)

    def delay(
        self, milliseconds: int, *, route: RouteClass | str = RouteClass.ANY, times: int = 1
    ) -> None:
        """Answer the next requests late; they are processed after the delay."""
        self.plan(
            Fault(
                kind=FaultKind.DELAY,
                route=RouteClass(route),
                times=times,
                milliseconds=milliseconds,
            )
        )

    def hold(self, *, route: RouteClass | str = RouteClass.ANY, times: int = 1) -> Gate:
        """Hold the next requests, unprocessed, until ``release()`` of the returned gate."""
        self.fail(FaultKind.HOLD, route=route, times=times)
        return self._site.faults.gate

    def pending_faults(self) -> list[Fault]:
        """Faults planned and not yet met."""
        return self._site.faults.pending()

    def clear_faults(self) -> None:
        """Drop every planned fault and release what is held."""
        self._site.faults.clear()

    # lasting switches
    def set(self, **switches: object) -> None:
        """Set switches of ``Behaviours`` by name, checked against their types."""
        merged = {**self._site.behaviours.model_dump(), **switches}
        self._site.behaviours = type(self._site.behaviours).model_validate(merged)

    def search_is_down(self, how: SearchOutage | None = SearchOutage.UNREACHABLE) -> None:
        """Take the search server away, or with None bring it back."""
        self.set(search_outage=how)

    def switch_subject(self, name: str, to: str) -> None:
        """From now on refreshing the first person's pair issues tokens of the second."""
        switches = dict(self._site.behaviours.subject_switches)
        switches[self.account(name).uid] = self.account(to).uid
        self.set(subject_switches=switches)

    def remove_permission(self, role: str, permission: str) -> None:
        """Take a permission from a role."""
        removed = dict(self._site.behaviours.permissions_removed)
        removed[role] = [*removed.get(role, []), permission]
        self.set(permissions_removed=removed)

    def advance(self, seconds: float) -> None:
        """Let time pass for the site: tokens expire."""
        self._site.clock.advance(seconds)

    # people
    def account(self, name: str) -> Account:
        """The account.

        Raises:
            AccountUnknownError: there is none of that name.
        """
        return self._site.account_named(name)

    def block_user(self, name: str, *, blocked: bool = True) -> None:
        """Block or unblock; like every user save, it deletes the person's access tokens."""
        self._site.save_account(replace(self.account(name), blocked=blocked))

    def save_user(self, name: str) -> None:
        """Save the user unchanged: access tokens die, refresh tokens live."""
        self._site.save_account(self.account(name))

    def set_roles(self, name: str, *roles: str) -> None:
        """Give the person exactly these roles; a user save."""
        self._site.save_account(replace(self.account(name), roles=roles))

    def delete_user(self, name: str) -> None:
        """Delete the account; their tokens stay, as in Drupal."""
        self._site.store.accounts.delete(str(self.account(name).uid))

    def put_account(self, account: Account) -> None:
        """Add or replace an account."""
        self._site.save_account(account)

    # OAuth
    def put_client(self, client: OAuthClient) -> None:
        """Add or replace an OAuth client; deletes its access tokens."""
        self._site.save_client(client)

    def revoke_access_tokens(self, name: str) -> int:
        """Delete the person's access tokens; returns how many there were."""
        return self._site.store.revoke_access_tokens(uid=self.account(name).uid)

    def live_tokens(self, name: str) -> tuple[int, int]:
        """How many access and refresh tokens of the person would work now."""
        uid, now = self.account(name).uid, self._site.clock.now()
        access = [row for _, row in self._site.store.access_tokens.items() if row.uid == uid]
        refresh = [row for _, row in self._site.store.refresh_tokens.items() if row.uid == uid]
        return (
            sum(1 for row in access if row.expires_at > now),
            sum(1 for row in refresh if row.expires_at > now and not row.revoked),
        )

    # what happened
    def requests(self, route: RouteClass | str | None = None) -> list[LogEntry]:
        """The requests so far, of one route class or all."""
        return self._site.log.entries(None if route is None else RouteClass(route).value)

    def count(self, key: str) -> int:
        """How many of a route class, ``rpc:<method>`` or ``grant:<type>``."""
        return self._site.log.counts[key]

    async def wait_for_requests(
        self, key: str, count: int, *, timeout_seconds: float = 10.0
    ) -> None:
        """Until so many requests of that key have arrived.

        Raises:
            TimeoutError: they did not come in time.
        """
        await self._site.log.wait_for(key, count, timeout_seconds=timeout_seconds)

    def clear_requests(self) -> None:
        """Start counting anew."""
        self._site.log.clear()

    def clear_caches(self) -> None:
        """Clear Drupal's caches."""
        self._site.caches.clear()

    def reset(self) -> None:
        """Switches, faults, clock, log, caches and accounts back to the start; tokens stay."""
        self._site.reset()
