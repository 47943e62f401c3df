"""What differs between the OAuth modules a site may run, as data."""

from scripts.fake_drupal.dialects.model import Dialect
from scripts.fake_drupal.dialects.simple_oauth_5 import SIMPLE_OAUTH_5
from scripts.fake_drupal.dialects.simple_oauth_6 import SIMPLE_OAUTH_6

DIALECTS: dict[int, Dialect] = {5: SIMPLE_OAUTH_5, 6: SIMPLE_OAUTH_6}

__all__ = ["DIALECTS", "SIMPLE_OAUTH_5", "SIMPLE_OAUTH_6", "Dialect"]
