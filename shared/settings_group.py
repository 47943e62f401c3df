"""How settings are read: from the environment, whole or not at all, and never shown.

Knows no setting but the stage, which every group has; the settings themselves are in ``settings``.
"""

import json
import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
)


class Stage(StrEnum):
    """Where a process runs; one stage never reads what another has sealed or issued."""

    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class SettingsError(Exception):
    """Settings are missing or malformed; the message names each, and no value."""


def _origin(value: object) -> str:
    """An absolute http(s) URL kept as the very string given: issuers are compared byte for byte."""
    url = TypeAdapter(HttpUrl).validate_python(value)
    text = str(value)
    if url.query or url.fragment or url.username or text.endswith("/"):
        raise ValueError("must have no query, fragment, user or trailing slash")
    return text


def _json_object(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


UrlText = Annotated[str, BeforeValidator(_origin)]
SecretTexts = Annotated[dict[str, SecretStr], BeforeValidator(_json_object)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


def _problems(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in item["loc"]).upper()
        yield f"{name}: {item['msg']}" if name else item["msg"]


class SettingsGroup(BaseModel):
    """Settings that belong together; frozen once they are read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: Stage = Field(description="local, dev, staging or prod.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read this group's settings.

        Raises:
            SettingsError: naming every setting that is missing or malformed.
        """
        source = os.environ if environment is None else environment
        given = {
            name: source[name.upper()] for name in cls.model_fields if source.get(name.upper())
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError("; ".join(sorted(_problems(error)))) from None

    def require_outside_local(self, *names: str) -> None:
        """For validators of a group: these settings are optional in the local stage only."""
        if self.stage is Stage.LOCAL:
            return
        missing = [name.upper() for name in names if getattr(self, name) is None]
        if missing:
            raise ValueError(f"required outside the local stage: {', '.join(missing)}")

    def require_https(self, *names: str) -> None:
        """For validators of a group: these addresses are https outside the local stage."""
        if self.stage is Stage.LOCAL:
            return
        plain = [name.upper() for name in names if getattr(self, name).startswith("http://")]
        if plain:
            raise ValueError(f"https is required outside the local stage: {', '.join(plain)}")
