"""Client metadata as registered (RFC 7591 section 2), bounded and cleaned.

Unknown members, grants and methods are tolerated: clients send the same document to everybody.
What we do not keep we do not echo.
"""

import json
import unicodedata
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from functions.oauth.json_members import each_once
from functions.oauth.refusals import InvalidClientMetadataError, InvalidRedirectUriError
from shared.domain import redirects
from shared.domain.client_documents import AuthMethod
from shared.domain.document_ids import DOCUMENT_ID_LENGTH_MAX
from shared.domain.scopes import granted_scopes

REDIRECT_URIS_MAX = 10
CLIENT_NAME_LENGTH_MAX = 100
TEXT_LENGTH_MAX = 500
WORDS_MAX = 30
GRANTS_SUPPORTED = ("authorization_code", "refresh_token")


def _visible(text: str) -> str:
    """``text`` without control, format and unassigned characters.

    Bidirectional overrides and zero-width characters would let a name show as another one.
    """
    kept = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or not unicodedata.category(character).startswith("C")
    )
    return " ".join(kept.split())


def _registrable(uri: str) -> str:
    if not redirects.may_register(uri):
        raise ValueError("not acceptable")
    return uri


def _web_address(value: object) -> str | None:
    """An https address, or nothing: it is shown only, so a bad one is dropped, not refused."""
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX:
        return None
    acceptable = redirects.may_register(value) and value.startswith("https://")
    return value if acceptable and urlsplit(value).hostname else None


_Name = Annotated[str, Field(max_length=TEXT_LENGTH_MAX), AfterValidator(_visible)]
_Word = Annotated[str, Field(max_length=TEXT_LENGTH_MAX)]
_Words = Annotated[list[_Word], Field(max_length=WORDS_MAX)]
_RedirectUri = Annotated[str, AfterValidator(_registrable)]


class ClientMetadata(BaseModel):
    """The members of a registration request that mean something here."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    redirect_uris: Annotated[list[_RedirectUri], Field(min_length=1, max_length=REDIRECT_URIS_MAX)]
    client_name: _Name | None = None
    client_uri: Annotated[str | None, BeforeValidator(_web_address)] = None
    token_endpoint_auth_method: _Word | None = None
    grant_types: _Words | None = None
    response_types: _Words | None = None
    scope: Annotated[str, Field(max_length=2_000)] | None = None
    application_type: _Name | None = None
    software_id: _Name | None = None
    software_version: _Name | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: Annotated[str, Field(max_length=DOCUMENT_ID_LENGTH_MAX)] | None = None

    @property
    def keys_are_meant(self) -> bool:
        """Whether the client wants to prove itself, and says by which keys.

        One that names no keys becomes a public client like all others: it could never come in.
        """
        named = self.jwks is not None or self.jwks_uri is not None
        return named and self.token_endpoint_auth_method == AuthMethod.PRIVATE_KEY_JWT

    @property
    def shown_name(self) -> str:
        """The name for the consent page; where there is none, where the client lives."""
        name = (self.client_name or "")[:CLIENT_NAME_LENGTH_MAX].strip()
        parts = urlsplit(self.redirect_uris[0])
        return name or parts.hostname or parts.scheme

    @property
    def grants(self) -> list[str]:
        """The grants that the client gets: those it named that exist here."""
        asked = self.grant_types or list(GRANTS_SUPPORTED)
        return [grant for grant in GRANTS_SUPPORTED if grant in asked]

    def echo(self) -> dict[str, Any]:
        """What was registered; members without a value are left out, clients choke on null."""
        members: dict[str, Any] = {
            "client_name": self.shown_name,
            "redirect_uris": list(dict.fromkeys(self.redirect_uris)),
            "grant_types": self.grants,
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "client_uri": self.client_uri,
            "scope": " ".join(granted_scopes(self.scope.split())) if self.scope else None,
            "application_type": self.application_type,
            "software_id": self.software_id,
            "software_version": self.software_version,
        }
        return {name: value for name, value in members.items() if value}


def parse(body: bytes) -> ClientMetadata:
    """Read a registration request.

    Raises:
        InvalidRedirectUriError: a redirect URI is absent or not acceptable.
        InvalidClientMetadataError: anything else is (RFC 7591 section 3.2.2).
    """
    try:
        metadata = ClientMetadata.model_validate_json(body)
    except ValidationError as error:
        names = {str(item["loc"][0]) for item in error.errors(include_input=False) if item["loc"]}
        if "redirect_uris" in names:
            raise InvalidRedirectUriError("redirect_uris") from None
        known = sorted(names & set(ClientMetadata.model_fields))
        raise InvalidClientMetadataError(known[0] if known else None) from None
    _refuse_repeated(body)
    if "authorization_code" not in metadata.grants:
        raise InvalidClientMetadataError("grant_types")
    if metadata.response_types is not None and "code" not in metadata.response_types:
        raise InvalidClientMetadataError("response_types")
    return metadata


def _refuse_repeated(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        raise InvalidClientMetadataError from None
