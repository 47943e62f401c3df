"""The two halves of a release's change of the database, each safe to run again at any time.

Between them the code before and the new code both run: so the first half takes nothing away.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.migrate.requests import Step
from shared.observability.logging import log
from shared.state.migrator import migrate
from shared.state.roles import AppRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What both halves need: the owner's connection string, and each role's password."""

    owner_url: str
    role_passwords: Mapping[AppRole, str | None]

    def run(self, step: Step) -> tuple[str, ...]:
        """Do one half; the names of the migrations that were applied.

        Raises:
            MigrationChangedError: an applied migration has another text in this release.
            psycopg.Error: the database refused or is away; what was begun left nothing behind.
        """
        rights_exact = step is Step.CONTRACT
        applied = tuple(
            migrate(self.owner_url, app_roles=self.role_passwords, rights_exact=rights_exact)
        )
        log.info("database migrated", step=step.value, applied=list(applied))
        return applied
