"""Lasting switches of the fake site: what stays wrong or different until it is switched back.

One-off faults are in ``faults``; never let a switch outlive ``/_control/reset``.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

REPLAY_SECONDS_MAX = 60


class SearchOutage(StrEnum):
    """How the search server is away."""

    UNREACHABLE = "unreachable"
    INTERNAL_ERROR = "internal_error"


class Behaviours(BaseModel):
    """The switches, all off at the start."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    maintenance: bool = False
    basic_auth: bool = Field(default=True, description="Drupal's basic_auth module is on.")
    public_key_missing: bool = False
    private_key_missing: bool = False
    database_empty: bool = Field(default=False, description="302 to the installer, everywhere.")
    database_down: bool = Field(default=False, description="500 HTML, everywhere.")
    search_outage: SearchOutage | None = None
    access_token_seconds: int | None = Field(
        default=None, description="Real life of access tokens, instead of the client's."
    )
    expires_in: int | float | str | None = Field(
        default=None, description="Told to clients instead of the truth; 'missing' leaves it out."
    )
    refresh_replay_seconds: int = Field(
        default=0,
        ge=0,
        le=REPLAY_SECONDS_MAX,
        description="A used refresh token gets the same answer again for so long.",
    )
    subject_switches: dict[int, int] = Field(
        default_factory=dict, description="From uid to uid: whose tokens a refresh issues."
    )
    permissions_added: dict[str, list[str]] = Field(default_factory=dict)
    permissions_removed: dict[str, list[str]] = Field(default_factory=dict)
    tools_listed_too: list[Any] = Field(
        default_factory=list, description="Items added to the tool list as they are, to everybody."
    )
    tools_page_size: int = Field(default=50, ge=1)
    paths_missing: list[str] = Field(
        default_factory=list, description="Nothing is there: a module is missing, off or too old."
    )
    pkce_ignored: bool = Field(default=False, description="A code is taken with any verifier.")
    clock_off_seconds: int | None = Field(
        default=None, description="The site tells its time, wrong by so much."
    )
    login_failures_max: int = Field(default=5, ge=1)
