"""What a fetched document says, by the rules of dynamic registration and a few of its own.

Unknown members, grants and methods are tolerated: vendors publish one document for everybody. A
secret is not, for a document is public (draft-ietf-oauth-client-id-metadata-document section 4.1).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from functions.oauth import published_keys
from functions.oauth.client_documents.failures import DocumentFault, DocumentFaultError
from functions.oauth.flows import client_metadata
from functions.oauth.json_members import each_once
from functions.oauth.published_keys import PublishedKeys
from functions.oauth.refusals import InvalidClientMetadataError, InvalidRedirectUriError
from shared.domain.client_documents import AuthMethod, DocumentContent
from shared.domain.document_ids import DocumentId
from shared.vault.client_assertions import UnusableKeysError

_METHOD: Final = "token_endpoint_auth_method"
_METHODS: Final = "token_endpoint_auth_methods_supported"
_OWN_RULES: Final = frozenset({_METHOD, *published_keys.MEMBERS})
_USABLE: Final = frozenset(method.value for method in AuthMethod)


def parse(body: bytes, document_id: DocumentId, *, local: bool = False) -> DocumentContent:
    """Read the document behind ``document_id``; ``local`` allows its keys on loopback.

    Raises:
        DocumentFaultError: it is another client's, holds a secret, or describes no usable client.
    """
    members = _members(body)
    if members.get("client_id") != document_id.text:
        raise DocumentFaultError(DocumentFault.OTHER_ID)
    if any(name.startswith("client_secret") and value for name, value in members.items()):
        raise DocumentFaultError(DocumentFault.SECRET)
    methods = _auth_methods(members)
    metadata = _metadata(members)
    keys = _keys(members, local=local)
    if AuthMethod.NONE not in methods and not keys:
        raise DocumentFaultError(DocumentFault.KEYS)
    return DocumentContent(
        client_name=metadata.client_name or document_id.host,
        redirect_uris=tuple(dict.fromkeys(metadata.redirect_uris)),
        client_uri=metadata.client_uri,
        auth_methods=methods,
        keys=keys.jwks,
        jwks_uri=keys.jwks_uri,
    )


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body, object_pairs_hook=each_once)
    except (ValueError, RecursionError):
        raise DocumentFaultError(DocumentFault.NOT_JSON) from None
    if not isinstance(members, dict):
        raise DocumentFaultError(DocumentFault.NOT_JSON)
    return members


def _auth_methods(members: Mapping[str, Any]) -> tuple[AuthMethod, ...]:
    """The methods that the client may use here; one that names none is a public client.

    Some vendors write a list where the RFC has one word, or name the others beside it.
    """
    first = _words(members.get(_METHOD))
    named = [*first, *_words(members.get(_METHODS))]
    usable = tuple(AuthMethod(word) for word in dict.fromkeys(named) if word in _USABLE)
    shares_a_secret = isinstance(members.get(_METHOD), str) and not _USABLE.issuperset(first)
    if shares_a_secret or (named and not usable):
        raise DocumentFaultError(DocumentFault.AUTH_METHOD)
    return usable or (AuthMethod.NONE,)


def _words(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [word for word in values if isinstance(word, str)]


def _metadata(members: Mapping[str, Any]) -> client_metadata.ClientMetadata:
    """The members that dynamic registration knows, under its rules."""
    known = {name: value for name, value in members.items() if name not in _OWN_RULES}
    try:
        return client_metadata.parse(json.dumps(known).encode())
    except InvalidRedirectUriError:
        raise DocumentFaultError(DocumentFault.REDIRECT_URIS) from None
    except InvalidClientMetadataError:
        raise DocumentFaultError(DocumentFault.METADATA) from None


def _keys(members: Mapping[str, Any], *, local: bool) -> PublishedKeys:
    try:
        return published_keys.read_published_keys(members, local=local)
    except UnusableKeysError:
        raise DocumentFaultError(DocumentFault.KEYS) from None
