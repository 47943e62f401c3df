"""Which tools of the site a person has: asked of the site, and remembered for some minutes.

Never shows one person another one's list, and never fails a listing because the site is away.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from functions.mcp_endpoint.tools.site_listing import ListingRules, offered_tools
from functions.mcp_endpoint.tools.site_requests import SiteRequests
from functions.mcp_endpoint.tools.site_tools import ToolSite
from shared.domain.grants import AuthenticatedCall
from shared.domain.identifiers import UserId
from shared.domain.site_tools import SiteTool, SiteToolList
from shared.errors.base import ServiceError, UnavailableError
from shared.observability.logging import log
from shared.upstream.failures import AccessForbiddenError

T = TypeVar("T")

PEOPLE_MAX = 64
"""People about whom one process remembers something."""
PAUSE_SECONDS = 30
"""The site is not asked again for a person's list this soon after it was away."""


class ToolLists(Protocol):
    """Where lists are kept for all processes."""

    async def find(self, user_id: UserId) -> SiteToolList | None:
        """The person's list, however old."""
        ...

    async def store(self, user_id: UserId, listed: SiteToolList) -> None:
        """Keep ``listed`` as of now."""
        ...


class SiteCatalogue:
    """The lists of the people that this process serves. All times are database times."""

    def __init__(
        self, *, requests: SiteRequests, site: ToolSite, lists: ToolLists, rules: ListingRules
    ) -> None:
        self._requests = requests
        self._site = site
        self._lists = lists
        self._rules = rules
        self._near = _PerPerson[SiteToolList]()
        self._paused_until = _PerPerson[datetime]()
        self._doubted_at = _PerPerson[datetime]()

    async def tools(self, call: AuthenticatedCall) -> tuple[SiteTool, ...]:
        """The person's tools: five minutes old at most, or a day while the site is away.

        Raises:
            ServiceError: the person's grant has ended.
        """
        return (await self._current(call)).tools

    async def find(self, name: str, call: AuthenticatedCall) -> SiteTool | None:
        """The person's tool of this published name.

        A list of up to a day does: whether the person may call the tool now is for the site to
        say. Where the name is not in it the site is asked, however new the list is: a membership
        that has just begun may have brought the tool.

        Raises:
            ServiceError: the person's grant has ended.
        """
        listed = await self.find_listed(name, call)
        if listed is not None:
            return listed
        self.doubt(call)
        return (await self._current(call)).find(name)

    async def find_listed(self, name: str, call: AuthenticatedCall) -> SiteTool | None:
        """As ``find``, without ever asking the site."""
        known = await self._remembered(call)
        return known.find(name) if known is not None and known.is_usable(call.now) else None

    def doubt(self, call: AuthenticatedCall) -> None:
        """The site has contradicted the person's list: it is no longer fresh."""
        self._doubted_at.put(call.grant.user_id, call.now)

    def forget(self) -> None:
        """After a restore: what was known belongs to another environment."""
        for remembered in (self._near, self._paused_until, self._doubted_at):
            remembered.clear()

    async def _current(self, call: AuthenticatedCall) -> SiteToolList:
        user_id = call.grant.user_id
        known = await self._remembered(call)
        if known is not None and self._is_fresh(known, call):
            return known
        paused_until = self._paused_until.get(user_id)
        if paused_until is None or paused_until <= call.now:
            try:
                return await self._asked(call, known)
            except UnavailableError as error:
                log.warning("tools of the site not listed", error_code=error.code.value)
                self._paused_until.put(user_id, call.now + timedelta(seconds=PAUSE_SECONDS))
        return known if known is not None and known.is_usable(call.now) else _nothing(call)

    def _is_fresh(self, known: SiteToolList, call: AuthenticatedCall) -> bool:
        doubted_at = self._doubted_at.get(call.grant.user_id)
        doubted = doubted_at is not None and known.listed_at <= doubted_at
        return known.is_fresh(call.now) and not doubted

    async def _remembered(self, call: AuthenticatedCall) -> SiteToolList | None:
        """The newest list that this process or the database has."""
        user_id = call.grant.user_id
        near = self._near.get(user_id)
        if near is not None and self._is_fresh(near, call):
            return near
        try:
            stored = await self._lists.find(user_id)
        except UnavailableError as error:
            log.warning("list of tools not read", error_code=error.code.value)
            return near
        if stored is None or (near is not None and near.listed_at > stored.listed_at):
            return near
        self._near.put(user_id, stored)
        return stored

    async def _asked(self, call: AuthenticatedCall, known: SiteToolList | None) -> SiteToolList:
        """What the site says now.

        Raises:
            UnavailableError: the site is away.
            ServiceError: the person's grant has ended.
        """
        try:
            listed = await self._requests.run(
                call,
                lambda token, seconds: self._site.list_tools(
                    access_token=token, timeout_seconds=seconds
                ),
            )
        except AccessForbiddenError:
            listed = ()  # nothing for this person, says the site
        except UnavailableError:
            raise
        except ServiceError as error:
            if error.entry.http_status == 401:
                raise
            # A refused account, a site without such a list: there is nothing to show for now.
            log.warning("site has no tools to list", error_code=error.code.value)
            self._near.put(call.grant.user_id, _nothing(call))
            return _nothing(call)
        tools, names = offered_tools(
            listed, self._rules, known_names={} if known is None else known.names
        )
        return await self._kept(call, SiteToolList(tools=tools, names=names, listed_at=call.now))

    async def _kept(self, call: AuthenticatedCall, listed: SiteToolList) -> SiteToolList:
        self._near.put(call.grant.user_id, listed)
        self._doubted_at.drop(call.grant.user_id)
        try:
            await self._lists.store(call.grant.user_id, listed)
        except UnavailableError as error:
            log.warning("list of tools not stored", error_code=error.code.value)
        return listed


def _nothing(call: AuthenticatedCall) -> SiteToolList:
    return SiteToolList(tools=(), names={}, listed_at=call.now)


class _PerPerson(Generic[T]):
    """A value for each of the people seen last."""

    def __init__(self) -> None:
        self._values: OrderedDict[UserId, T] = OrderedDict()

    def get(self, user_id: UserId) -> T | None:
        return self._values.get(user_id)

    def put(self, user_id: UserId, value: T) -> None:
        self._values[user_id] = value
        self._values.move_to_end(user_id)
        if len(self._values) > PEOPLE_MAX:
            self._values.popitem(last=False)

    def drop(self, user_id: UserId) -> None:
        self._values.pop(user_id, None)

    def clear(self) -> None:
        self._values.clear()
