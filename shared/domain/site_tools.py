"""Tools that the site offers of its own: what we publish of one, and under which name.

Never gives a published name to a second tool while the first one's is remembered.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

PUBLISHED_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What every known client takes; in some, one other name hides all tools of a server."""
NAME_CHARACTERS_MAX = 64
NAMES_REMEMBERED_MAX = 400
"""Names kept for tools that are listed no more, so that they come back under the same one."""
FRESH_SECONDS = 300
STALE_SECONDS_MAX = 86_400
"""A list of this age still serves while the site is away."""

_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_-]")
_HASH_CHARACTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTool:
    """One tool of the site as a client sees it; ``site_name`` is what the site calls it.

    ``input_schema`` is JSON Schema 2020-12 with ``type`` object and ``properties``.
    """

    site_name: str
    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteToolList:
    """What the site listed for one person, in the order of the published names.

    ``names`` maps published to site names, those of tools that are gone included.
    """

    tools: tuple[SiteTool, ...]
    names: Mapping[str, str]
    listed_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether the site need not be asked again; ``now`` is database time."""
        return now - self.listed_at < timedelta(seconds=FRESH_SECONDS)

    def is_usable(self, now: datetime) -> bool:
        """Whether it may stand in for an answer of the site."""
        return now - self.listed_at < timedelta(seconds=STALE_SECONDS_MAX)

    def find(self, name: str) -> SiteTool | None:
        """The tool with this published name."""
        return next((tool for tool in self.tools if tool.name == name), None)


def published_names(
    site_names: Iterable[str], *, reserved: Collection[str], known: Mapping[str, str]
) -> dict[str, str]:
    """The published name of each tool, by the site's name.

    A tool keeps the name under which it is ``known`` (published to site name). Other characters
    than those of ``PUBLISHED_NAME`` become ``_``, long names are cut, and a name that is cut,
    taken or ``reserved`` ends in a hash of the site's name. The order of ``site_names`` does not
    matter.
    """
    taken = {name: site_name for name, site_name in known.items() if name not in reserved}
    remembered = {site_name: name for name, site_name in taken.items()}
    chosen = {}
    for site_name in sorted(set(site_names)):
        name = remembered.get(site_name) or _free_name(site_name, {*reserved, *taken})
        taken[name] = site_name
        chosen[site_name] = name
    return chosen


def remembered_names(chosen: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Published to site names, to be stored: the chosen ones, then as many old ones as fit."""
    names = {name: site_name for site_name, name in chosen.items()}
    for name, site_name in sorted(known.items()):
        if len(names) >= NAMES_REMEMBERED_MAX:
            break
        names.setdefault(name, site_name)
    return names


def _free_name(site_name: str, taken: Collection[str]) -> str:
    plain = _NOT_ALLOWED.sub("_", site_name)
    readable = any(character.isalnum() for character in plain)
    if readable and len(plain) <= NAME_CHARACTERS_MAX and plain not in taken:
        return plain
    stem = plain if readable else "tool"
    digest = hashlib.sha256(site_name.encode("utf-8", "replace")).hexdigest()
    for length in range(_HASH_CHARACTERS, NAME_CHARACTERS_MAX - 1):
        ending = f"_{digest[:length]}"
        name = f"{stem[: NAME_CHARACTERS_MAX - len(ending)]}{ending}"
        if name not in taken:
            return name
    raise ValueError("every name of this tool is taken")  # would take twins in SHA-256
