"""What a function is told, looked at from its own side: stored secrets, database, key.

Shows no value of a setting.
"""

from collections.abc import Mapping
from typing import Final

from scripts.site_doctor.findings import Finding, broken, good
from shared.errors.base import ServiceError
from shared.state.database import Database
from shared.stored_settings import StoredSettingUnavailableError, resolve
from shared.vault.kms_data_keys import KmsDataKeys

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 10
_NEEDED: Final = ("DATABASE_URL", "KMS_KEY_ID")
_CONTEXT: Final = {"purpose": "doctor"}


async def look(environment: Mapping[str, str]) -> list[Finding]:
    """Whether secrets can be read, the database reached, and the key used, as a function would."""
    try:
        told = resolve(environment)
    except StoredSettingUnavailableError as error:
        what = f"{error.facts['setting']}: {error.facts['error_type']}"
        remedy = "Store it, and let whoever runs this read it; see docs/configuration.md."
        return [broken("secrets", f"a stored setting cannot be read ({what}).", remedy)]
    missing = [name for name in _NEEDED if not told.get(name)]
    if missing:
        remedy = "Give this command the variables of the function, references included."
        return [broken("secrets", f"not set: {', '.join(missing)}.", remedy)]
    return [
        good("secrets", "every stored setting can be read."),
        await _database(told["DATABASE_URL"]),
        await _key(told["KMS_KEY_ID"], told.get("AWS_ENDPOINT_URL")),
    ]


async def _database(conninfo: str) -> Finding:
    database = Database(conninfo)
    try:
        async with database.autocommit(timeout_seconds=READ_SECONDS) as tx:
            await tx.row("SELECT app.now()")
    except ServiceError as error:
        told = f"the database cannot be used ({error.code.value})."
        remedy = "Check host, network, password and certificate; has the migration run?"
        return broken("database", told, remedy)
    finally:
        await database.close()
    return good("database", "reached as the function's role, and migrated.")


async def _key(key_id: str, endpoint: str | None) -> Finding:
    """A data key is made and opened, and kept nowhere."""
    keys = KmsDataKeys(
        key_id,
        connect_timeout_seconds=CONNECT_SECONDS,
        read_timeout_seconds=READ_SECONDS,
        endpoint_url=endpoint,
    )
    try:
        made = await keys.generate(_CONTEXT)
        await keys.open(made.wrapped_key, kms_key_id=made.kms_key_id, context=_CONTEXT)
    except ServiceError as error:
        told = f"the key cannot be used ({error.code.value})."
        remedy = "Is it enabled, and may this role use kms:GenerateDataKey and kms:Decrypt?"
        return broken("key", told, remedy)
    return good("key", "a data key can be made and opened.")
