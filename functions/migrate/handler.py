"""Composition root of the migrations: settings, steps, handler.

Whatever goes wrong, CloudFormation is told: a deployment that nobody answers hangs for its timeout.
"""

from collections.abc import Mapping
from typing import Any

from functions.migrate.composition import compose
from functions.migrate.deployment_answer import Outcome, deliver
from functions.migrate.requests import DeploymentRequest, OperatorRequest, Step, read_request
from shared.observability import crash_reports, request_context
from shared.observability.instrument import instrument
from shared.observability.logging import log
from shared.settings import MigrateFunctionSettings, ObservabilitySettings
from shared.settings_group import SettingsError
from shared.state.migrator import MigrationChangedError
from shared.stored_settings import environment_with_stored

_TOLD = (MigrationChangedError, SettingsError)
"""Exceptions whose own text an operator may read: they name files and settings, no values."""


@instrument("migrate", ObservabilitySettings.from_environment())
def handler(event: Mapping[str, Any], _context: Any) -> dict[str, list[str]]:
    """Run the step that is asked for; the names of the migrations that were applied."""
    request = read_request(event)
    if isinstance(request, OperatorRequest):
        return {"applied": list(_run(request.step))}
    outcome = _outcome_of(request)
    deliver(request, outcome)
    return {"applied": list(outcome.applied)}


def _run(step: Step) -> tuple[str, ...]:
    # Read at every invocation: a password that was rotated a minute ago is the one to set.
    settings = MigrateFunctionSettings.from_environment(environment_with_stored())
    return compose(settings).run(step)


def _outcome_of(request: DeploymentRequest) -> Outcome:
    if request.kind == "Delete":
        # The database outlives the stack; what is in it is nobody's to drop.
        return Outcome()
    try:
        return Outcome(applied=_run(request.step))
    except Exception as error:  # noqa: BLE001 - the deployment must be told, whatever it is
        crash_reports.report(error)
        log.exception("database not migrated", error=error, step=request.step.value)
        return Outcome(failure=_told(error))


def _told(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}" if isinstance(error, _TOLD) else type(error).__name__
    return (
        f"The database was not migrated ({what}). Nothing of the failed step is left behind; the"
        " code before goes on. Look in the log for correlation id"
        f" {request_context.correlation_id()}."
    )
