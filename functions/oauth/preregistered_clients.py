"""The clients that operators have entered in the settings, read and checked at start.

No entry has a secret. Mistakes stop the start, all of them named at once: a list read in part would
shut people out without saying so.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from functions.oauth.flows.client_metadata import CLIENT_NAME_LENGTH_MAX, REDIRECT_URIS_MAX
from shared.domain import redirects
from shared.domain.clients import Client, RegistrationKind
from shared.domain.document_ids import parse_document_id
from shared.domain.identifiers import ClientId
from shared.settings_group import SettingsError
from shared.vault.client_assertions import read_keys

SETTING: Final = "PREREGISTERED_CLIENTS"
CLIENTS_MAX: Final = 100


_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._-]{3,100}")


def _free_id(client_id: str) -> str:
    """Neither an address nor an id of ours: those mean clients that became known in other ways."""
    if _CLIENT_ID.fullmatch(client_id) is None or client_id.startswith("client_"):
        raise ValueError("3 to 100 letters, digits, dots or hyphens, and not client_ first")
    return client_id


def _redirect_uri(uri: str) -> str:
    if not redirects.may_register(uri):
        raise ValueError("not an acceptable redirect URI")
    return uri


def _public_keys(keys: dict[str, Any]) -> dict[str, Any]:
    read_keys(keys)
    return keys


def _address_of_keys(address: str) -> str:
    if parse_document_id(address, local=False) is None:
        raise ValueError("not an https address of a public name with a path")
    return address


class _Entry(BaseModel):
    """One client as operators write it; a member that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    client_id: Annotated[str, AfterValidator(_free_id)]
    client_name: Annotated[str, Field(min_length=1, max_length=CLIENT_NAME_LENGTH_MAX)]
    redirect_uris: Annotated[
        list[Annotated[str, AfterValidator(_redirect_uri)]],
        Field(min_length=1, max_length=REDIRECT_URIS_MAX),
    ]
    token_endpoint_auth_method: Literal["none", "private_key_jwt"] = "none"  # noqa: S105 - a name
    jwks: Annotated[dict[str, Any], AfterValidator(_public_keys)] | None = None
    jwks_uri: Annotated[str, AfterValidator(_address_of_keys)] | None = None

    @model_validator(mode="after")
    def _keys_where_they_are_needed(self) -> Self:
        ways = [way for way in (self.jwks, self.jwks_uri) if way is not None]
        if len(ways) != self._proves_itself:
            raise ValueError("private_key_jwt, and nothing else, needs one of jwks and jwks_uri")
        return self

    @property
    def _proves_itself(self) -> bool:
        return self.token_endpoint_auth_method == "private_key_jwt"  # noqa: S105 - a name

    def client(self) -> Client:
        """The client."""
        return Client(
            client_id=ClientId(self.client_id),
            kind=RegistrationKind.PREREGISTERED,
            client_name=self.client_name,
            redirect_uris=tuple(dict.fromkeys(self.redirect_uris)),
            keys=self.jwks,
            jwks_uri=self.jwks_uri,
            must_authenticate=self._proves_itself,
        )


def _each_once(entries: list[_Entry]) -> list[_Entry]:
    counts = Counter(entry.client_id for entry in entries)
    repeated = sorted(client_id for client_id in counts if counts[client_id] > 1)
    if repeated:
        raise ValueError(f"client_id more than once: {', '.join(repeated)}")
    return entries


_ENTRIES: Final[TypeAdapter[list[_Entry]]] = TypeAdapter(
    Annotated[list[_Entry], Field(max_length=CLIENTS_MAX), AfterValidator(_each_once)]
)


def parse(text: str) -> Mapping[ClientId, Client]:
    """The clients of the setting's ``text``, a JSON list; an empty text has none.

    Raises:
        SettingsError: naming the place of every mistake, and no value.
    """
    if not text:
        return {}
    try:
        entries = _ENTRIES.validate_json(text)
    except ValidationError as error:
        raise SettingsError("; ".join(sorted(_problems(error)))) from None
    return {entry.client().client_id: entry.client() for entry in entries}


def _problems(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_input=False, include_url=False):
        place = ".".join(str(part) for part in (SETTING, *item["loc"]))
        yield f"{place}: {item['msg']}"
