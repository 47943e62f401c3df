"""Settings whose value is kept elsewhere: ``ssm:NAME`` and ``secret:ARN#KEY`` in the environment.

As a whole value, or in angle brackets inside of one: ``user=app password=<secret:ARN#password>``.

Called by composition roots when they build, which is after a restore: a snapshot must hold neither
a secret nor an address that did not exist when it was taken. Never logs a value.
"""

import functools
import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config

SSM_PREFIX = "ssm:"
SECRET_PREFIX = "secret:"  # noqa: S105 - a prefix, not a secret
_KINDS = f"(?:{SSM_PREFIX}|{SECRET_PREFIX})"
_REFERENCE = re.compile(rf"^(?P<whole>{_KINDS}.+)$|<(?P<inside>{_KINDS}[^<>]+)>", re.DOTALL)
CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
ATTEMPTS_MAX = 3


class StoredSettingUnavailableError(UnavailableError):
    """A stored setting could not be read."""

    code = ErrorCode.KEY_SERVICE_UNAVAILABLE


@functools.cache
def _session() -> "boto3.session.Session":
    """Keeps descriptions of services once they are read; looks for credentials when needed."""
    import boto3  # noqa: PLC0415 - imported where a reference exists, see below

    return boto3.session.Session()


def prepare() -> None:
    """Load ahead what reading this process's references takes; reads none of them."""
    references = [
        _text(found) for value in os.environ.values() for found in _REFERENCE.finditer(value)
    ]
    wanted = {"ssm": SSM_PREFIX, "secretsmanager": SECRET_PREFIX}
    for service, prefix in wanted.items():
        if any(reference.startswith(prefix) for reference in references):
            _warm(service)


def _warm(service: Any) -> None:
    import aws_lambda_powertools.utilities.parameters  # noqa: F401, PLC0415 - as below

    _session().client(
        service,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - stands for no credentials at all
    ).close()


def environment_with_stored() -> dict[str, str]:
    """The process's environment, references replaced by what they refer to.

    Raises:
        StoredSettingUnavailableError: naming the setting, never its value.
    """
    return resolve(os.environ)


def resolve(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with every reference replaced; the rest is passed through.

    Raises:
        StoredSettingUnavailableError: naming the setting, never its value.
    """
    return {name: _resolved(name, value) for name, value in environment.items()}


def _resolved(name: str, value: str) -> str:
    return _REFERENCE.sub(lambda found: _read(name, _text(found)), value)


def _text(found: re.Match[str]) -> str:
    return found["whole"] or found["inside"]


def _read(name: str, reference: str) -> str:
    # Imported where a reference exists: boto3 costs a cold start that a plain environment
    # (the local stack, a container) need not pay.
    from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415
        GetParameterError,
        TransformParameterError,
    )

    try:
        if reference.startswith(SSM_PREFIX):
            return _read_parameter(reference.removeprefix(SSM_PREFIX))
        return _read_secret(reference.removeprefix(SECRET_PREFIX))
    except (GetParameterError, TransformParameterError, KeyError, ValueError) as error:
        facts = {"setting": name, "error_type": type(error).__name__}
        raise StoredSettingUnavailableError(facts) from None


def _read_parameter(parameter_name: str) -> str:
    from aws_lambda_powertools.utilities.parameters import SSMProvider  # noqa: PLC0415 - as above

    provider = SSMProvider(boto_config=_client_config(), boto3_session=_session())
    return str(provider.get(parameter_name, decrypt=True, force_fetch=True))


def _read_secret(secret_reference: str) -> str:
    from aws_lambda_powertools.utilities.parameters import (  # noqa: PLC0415 - as above
        SecretsProvider,
    )

    secret_id, _, key = secret_reference.partition("#")
    provider = SecretsProvider(boto_config=_client_config(), boto3_session=_session())
    secret = provider.get(secret_id, force_fetch=True)
    return str(json.loads(str(secret))[key]) if key else str(secret)


def _client_config() -> "Config":
    from botocore.config import Config  # noqa: PLC0415 - as above

    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"total_max_attempts": ATTEMPTS_MAX, "mode": "standard"},
    )
