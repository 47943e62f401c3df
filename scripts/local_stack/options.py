"""What the local stack is told at start.

It must hold no default that would make a stack reachable from another machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from scripts.artifacts.build import Artifacts

Dialect = Literal["5", "6"]
Front = Literal["urls", "edge", "containers"]

REGION: Final = "eu-central-1"
DATA_DIR_DEFAULT: Final = Path(".dev")


@dataclass(frozen=True)
class FakeSite:
    """The fake Drupal, as one generation of Drupal's OAuth module."""

    dialect: Dialect = "6"


@dataclass(frozen=True)
class RealSite:
    """A real Drupal site."""

    base_url: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: str | None = None


@dataclass(frozen=True)
class StackOptions:
    """One stack."""

    data_dir: Path = DATA_DIR_DEFAULT
    site: FakeSite | RealSite = FakeSite()
    front: Front = "urls"
    """`urls`: both Function URLs as they are; `edge`: one host before them, as with CloudFront;
    `containers`: a process for each door in place of functions."""
    fixed_ports: bool = True
    """Off: free ports, for stacks that live for one test or one demo."""
    refresh_interval_seconds: float = 60.0
    cleanup_interval_seconds: float = 300.0
    canary_interval_seconds: float | None = None
    """None: the canary does not run by itself."""
    watched: bool = False
    """Collects what the functions say, and shows it at ``/_dev``."""
    environments_max: int = 10
    """Of each public function; one more request at once is throttled."""
    log_level: str = "INFO"
    artifacts: Artifacts | None = None
    """Built artifacts that run in place of this checkout's code."""
    more_variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that every function gets beside its own."""
