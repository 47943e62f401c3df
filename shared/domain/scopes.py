"""The permissions that a person can give to a client, in the words of the consent page."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """Every scope of ours; Drupal's own scopes are a setting and never seen by clients."""

    SEARCH = "tutorial:search"
    READ = "tutorial:read"
    SITE_TOOLS = "site:tools"
    """Covers every tool that the site lists itself, whether it reads or changes: the site does not
    say which is which."""


SCOPE_TEXTS: dict[Scope, str] = {
    Scope.SEARCH: "Search tutorials on your behalf",
    Scope.READ: "Read tutorials that your account can read",
    Scope.SITE_TOOLS: "Use the site's other tools on your behalf, also to change something",
}

SCOPES_OFFERED: tuple[str, ...] = tuple(scope.value for scope in Scope)


def offered_scopes(*, site_tools: bool) -> tuple[str, ...]:
    """What people are asked for: one scope for each tool of ours, one for those of the site.

    Where the site has no tools, nobody is asked to allow their use.
    """
    return tuple(scope for scope in SCOPES_OFFERED if site_tools or scope != Scope.SITE_TOOLS)


def granted_scopes(
    requested: Iterable[str], offered: tuple[str, ...] = SCOPES_OFFERED
) -> tuple[str, ...]:
    """The scopes to grant: what was asked and is offered, or everything when nothing offered was.

    Unknown scopes are dropped, not refused: several clients always ask for ``openid email
    profile`` or ``offline_access``, which mean nothing here.
    """
    asked = set(requested)
    known = tuple(scope for scope in offered if scope in asked)
    return known or offered
