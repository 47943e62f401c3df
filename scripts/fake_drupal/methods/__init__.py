"""The JSON-RPC methods of the site, and where to find one by name."""

from scripts.fake_drupal.methods.account import ACCOUNT_METHODS
from scripts.fake_drupal.methods.fixtures import FIXTURE_METHODS
from scripts.fake_drupal.methods.reading import READING_METHODS
from scripts.fake_drupal.methods.search import SEARCH_METHODS
from scripts.fake_drupal.rpc import RpcMethod
from scripts.fake_drupal.site import Site

SITE_METHODS: tuple[RpcMethod, ...] = (*SEARCH_METHODS, *READING_METHODS, *ACCOUNT_METHODS)


def methods_of(site: Site) -> tuple[RpcMethod, ...]:
    """All methods of a site; those that fail on purpose only where it was built with them."""
    return (*SITE_METHODS, *FIXTURE_METHODS) if site.fixture_methods else SITE_METHODS


def find_method(site: Site, name: str) -> RpcMethod | None:
    """The method with that name; tools answer to their listed name too."""
    named = (method for method in methods_of(site) if name in (method.name, method.listed_name))
    return next(named, None)
