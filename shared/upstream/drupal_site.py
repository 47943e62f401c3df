"""Which Drupal site we talk to, and as which client."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DrupalSite:
    """The site's origin and our client there; ``base_url`` has no trailing slash."""

    base_url: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    redirect_uri: str = ""
    """Our callback; empty where nobody signs in."""

    def url(self, path: str) -> str:
        """The absolute address of a path of the site."""
        return f"{self.base_url}{path}"
