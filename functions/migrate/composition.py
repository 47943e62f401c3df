"""Reads from the settings with which rights the functions reach the database."""

from collections.abc import Mapping

from pydantic import SecretStr

from functions.migrate.steps import Steps
from shared.settings import MigrateFunctionSettings
from shared.settings_group import SettingsError
from shared.state.role_urls import ForeignRoleError, password_in
from shared.state.roles import AppRole

OWNER = "migrate"


def compose(settings: MigrateFunctionSettings) -> Steps:
    """Build the steps; opens no connection.

    Raises:
        SettingsError: naming every connection string that is missing or another role's.
    """
    urls = settings.database_urls
    missing = {OWNER, *map(_key_of, AppRole)} - set(urls)
    if missing:
        raise SettingsError(f"DATABASE_URLS: no key {', '.join(sorted(missing))}")
    return Steps(owner_url=urls[OWNER].get_secret_value(), role_passwords=_passwords(urls))


def _key_of(role: AppRole) -> str:
    return role.value.removeprefix("app_")


def _passwords(urls: Mapping[str, SecretStr]) -> dict[AppRole, str | None]:
    passwords: dict[AppRole, str | None] = {}
    problems = []
    for role in AppRole:
        try:
            passwords[role] = password_in(urls[_key_of(role)].get_secret_value(), role)
        except ForeignRoleError:
            problems.append(f"{_key_of(role)} must connect as {role.value}")
    if problems:
        raise SettingsError(f"DATABASE_URLS: {'; '.join(problems)}")
    return passwords
