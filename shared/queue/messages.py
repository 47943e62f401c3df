"""What is said in the queues: which grant to refresh, and which pair of it. Never a token.

A message outlives deployments, so it names its version. What a reader does not understand to the
letter is refused: it goes to the dead-letter queue, where somebody looks at it.
"""

from enum import StrEnum
from typing import Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.domain.identifiers import GrantId

MESSAGE_BYTES_MAX: Final = 1_024


class MessageKind(StrEnum):
    """Why a grant is to be refreshed."""

    REFRESH_DUE = "refresh_due"
    """The schedule found it due."""
    WATCHDOG = "watchdog"
    """A refresh of it began some seconds ago; its worker may have died."""


class MessageRefusedError(Exception):
    """The body is no message of ours. Says in which members, and no value."""


class RefreshMessage(BaseModel):
    """One grant to be refreshed, if ``pair_generation`` is still that of its pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    kind: MessageKind
    grant_uuid: UUID = Field(alias="grant_id")
    pair_generation: int = Field(ge=1, strict=True)

    @classmethod
    def about(cls, kind: MessageKind, grant_id: GrantId, pair_generation: int) -> Self:
        """A message of the current version."""
        return cls(kind=kind, grant_id=grant_id, pair_generation=pair_generation)

    @classmethod
    def decode(cls, body: str) -> Self:
        """Read a body.

        Raises:
            MessageRefusedError: it is not exactly a message of a version that is known.
        """
        if len(body) > MESSAGE_BYTES_MAX:
            raise MessageRefusedError("too long")
        try:
            message = cls.model_validate_json(body)
        except ValidationError as error:
            wrong = {".".join(map(str, item["loc"])) or "body" for item in error.errors()}
            raise MessageRefusedError(f"wrong: {', '.join(sorted(wrong))}") from None
        if "version" not in message.model_fields_set:
            raise MessageRefusedError("wrong: version")
        return message

    def encode(self) -> str:
        """The body, as JSON."""
        return self.model_dump_json(by_alias=True)

    @property
    def grant_id(self) -> GrantId:
        """The grant."""
        return GrantId(self.grant_uuid)
