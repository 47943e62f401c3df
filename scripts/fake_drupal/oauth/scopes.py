"""Reading and checking the scopes of a request.

Never widens what was asked.
"""

from scripts.fake_drupal.dialects.model import Failure
from scripts.fake_drupal.oauth.errors import OAuthRefusedError
from scripts.fake_drupal.site import Site


def requested_scopes(site: Site, text: str | None, *, grant: str) -> tuple[str, ...]:
    """The scopes asked for.

    Raises:
        OAuthRefusedError: missing where required, unknown, or not enabled for the grant.
    """
    names = tuple(dict.fromkeys((text or "").split()))
    if not names and site.dialect.scope_required:
        raise OAuthRefusedError(Failure.SCOPE_MISSING)
    for name in names:
        if site.dialect.scope(name) is None:
            raise OAuthRefusedError(Failure.SCOPE_UNKNOWN, scope=name)
    for name in names:
        scope = site.dialect.scope(name)
        if scope is not None and grant not in scope.grants:
            raise OAuthRefusedError(Failure.SCOPE_NOT_FOR_GRANT, scope=name)
    return names
