"""The MCP clients that people use: how each registers, where it returns to, what is odd in it.

A record never gives a client a right: what a client says of itself can be said by any other. Only
the id that is the address of a known document may use its redirect URIs while that is away. The
family that is told from a record is for counting and for the audit only.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.domain import redirects
from shared.domain.clients import Client, RegistrationKind


class ClientFamily(StrEnum):
    """Whose client it is; bounded, so that it can be a dimension of metrics."""

    CLAUDE = "claude"
    CLAUDE_CODE = "claude_code"
    CHATGPT = "chatgpt"
    CODEX = "codex"
    CURSOR = "cursor"
    VS_CODE = "vs_code"
    MCP_INSPECTOR = "mcp_inspector"
    MCP_REMOTE = "mcp_remote"
    GEMINI_CLI = "gemini_cli"
    OTHER = "other"
    """A client of the SDKs, or one that nobody has described here."""


_DIFFERS: Final = "{id}"
_OWN_ID: Final = re.compile(r"[A-Za-z0-9_-]{6,64}")


class Way(StrEnum):
    """How a client becomes known to an authorization server."""

    DOCUMENT = "document"
    """Its id is the address of its client id metadata document."""
    DYNAMIC = "dynamic"
    """It registers itself (RFC 7591)."""
    PREREGISTERED = "preregistered"
    """Its user enters an id that the operators gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFamily:
    """Documents that a vendor publishes one by one for each connection; ``{id}`` is what differs.

    The redirect URI of each follows from its address.
    """

    document_id: str
    redirect_uri: str

    def redirect_of(self, client_id: str) -> str | None:
        """Where the client of this document returns to, or None if it is none of these."""
        before, after = self.document_id.split(_DIFFERS)
        if not (client_id.startswith(before) and client_id.endswith(after)):
            return None
        own = client_id[len(before) : len(client_id) - len(after)]
        if _OWN_ID.fullmatch(own) is None:
            return None
        return self.redirect_uri.replace(_DIFFERS, own)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClient:
    """What is known of one client; ``source`` says from where.

    ``own_redirects`` lead to its maker alone; where an entry ends in ``/*``, any path below counts.
    ``shared_redirects`` lead to loopback, where any program can listen on any port.
    """

    family: ClientFamily
    name: str
    ways: tuple[Way, ...]
    source: str
    document_ids: tuple[str, ...] = ()
    document_families: tuple[DocumentFamily, ...] = ()
    jwks_uri: str | None = None
    """Where it publishes its keys, if it may prove itself by them."""
    registered_names: tuple[str, ...] = ()
    own_redirects: tuple[str, ...] = ()
    shared_redirects: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()


KNOWN_CLIENTS: Final[tuple[KnownClient, ...]] = (
    KnownClient(
        family=ClientFamily.CLAUDE,
        name="Claude (web, desktop, mobile)",
        ways=(Way.DOCUMENT, Way.DYNAMIC, Way.PREREGISTERED),
        source="https://claude.com/docs/connectors/building/authentication",
        document_ids=("https://claude.ai/oauth/mcp-oauth-client-metadata",),
        registered_names=("Claude",),
        own_redirects=(
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
        ),
        quirks=(
            "registers anew at every connection, with the same metadata",
            "refreshes from two nodes at once",
            "asks for the scopes of the challenge",
        ),
    ),
    KnownClient(
        family=ClientFamily.CLAUDE_CODE,
        name="Claude Code",
        ways=(Way.DOCUMENT, Way.DYNAMIC, Way.PREREGISTERED),
        source="https://code.claude.com/docs/en/mcp",
        document_ids=("https://claude.ai/oauth/claude-code-client-metadata",),
        registered_names=("Claude Code",),
        shared_redirects=("http://localhost/callback", "http://127.0.0.1/callback"),
        quirks=(
            "another loopback port at every sign-in",
            "older ones send the origin with a slash as resource",
            "adds offline_access to the scopes",
        ),
    ),
    KnownClient(
        family=ClientFamily.CHATGPT,
        name="ChatGPT",
        ways=(Way.DOCUMENT, Way.DYNAMIC),
        source="https://developers.openai.com/apps-sdk/build/auth",
        document_ids=("https://chatgpt.com/oauth/client.json",),
        document_families=(
            DocumentFamily(
                document_id="https://chatgpt.com/oauth/{id}/client.json",
                redirect_uri="https://chatgpt.com/connector/oauth/{id}",
            ),
        ),
        jwks_uri="https://chatgpt.com/oauth/jwks.json",
        registered_names=("ChatGPT",),
        own_redirects=(
            "https://chatgpt.com/connector_platform_oauth_redirect",
            "https://chatgpt.com/connector/oauth/*",
        ),
        quirks=(
            "reads the OpenID path first",
            "sends resource with both requests",
            "its document names private_key_jwt and none, and it may use either",
            "compares iss with the issuer byte for byte",
        ),
    ),
    KnownClient(
        family=ClientFamily.CODEX,
        name="Codex",
        ways=(Way.DOCUMENT, Way.DYNAMIC),
        source="https://developers.openai.com/codex/mcp",
        document_ids=("https://chatgpt.com/oauth/codex/client.json",),
        document_families=(
            DocumentFamily(
                document_id="https://chatgpt.com/oauth/codex/{id}/client.json",
                redirect_uri="http://127.0.0.1/callback/{id}",
            ),
        ),
        registered_names=("Codex",),
        shared_redirects=(
            "http://127.0.0.1/callback",
            "http://localhost/callback",
            "http://127.0.0.1/callback/*",
        ),
        quirks=(
            "registers anew at every sign-in, with another loopback port and path",
            "by its document it returns to the plain path",
            "refreshes without resource",
        ),
    ),
    KnownClient(
        family=ClientFamily.CURSOR,
        name="Cursor",
        ways=(Way.DYNAMIC, Way.PREREGISTERED),
        source="https://cursor.com/docs/mcp",
        registered_names=("Cursor",),
        own_redirects=(
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ),
        shared_redirects=("http://localhost:8787/callback",),
        quirks=(
            "registers three redirect URIs at once, one with a scheme of its own",
            "returns to loopback, older ones to their own scheme",
            "asks for every scope that is supported",
        ),
    ),
    KnownClient(
        family=ClientFamily.VS_CODE,
        name="Visual Studio Code",
        ways=(Way.DOCUMENT, Way.DYNAMIC, Way.PREREGISTERED),
        source="https://github.com/microsoft/vscode/blob/main/src/vs/base/common/oauth.ts",
        document_ids=("https://vscode.dev/oauth/client-metadata.json",),
        registered_names=("Visual Studio Code",),
        own_redirects=("https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect"),
        shared_redirects=("http://127.0.0.1:33418/", "http://127.0.0.1/"),
        quirks=(
            "the resource must be the very URL that its user entered",
            "another loopback port when 33418 is taken",
            "older ones register the device grant, too",
            "without metadata it tries /authorize, /token and /register",
        ),
    ),
    KnownClient(
        family=ClientFamily.MCP_INSPECTOR,
        name="MCP Inspector",
        ways=(Way.DYNAMIC, Way.PREREGISTERED),
        source="https://github.com/modelcontextprotocol/inspector",
        registered_names=("MCP Inspector",),
        shared_redirects=(
            "http://localhost:6274/oauth/callback",
            "http://127.0.0.1:6276/oauth/callback",
        ),
        quirks=("runs in a browser: every step needs CORS", "registers an empty scope"),
    ),
    KnownClient(
        family=ClientFamily.MCP_REMOTE,
        name="mcp-remote",
        ways=(Way.DYNAMIC, Way.PREREGISTERED),
        source="https://github.com/geelen/mcp-remote",
        registered_names=("MCP CLI Proxy", "MCP CLI Client"),
        shared_redirects=("http://localhost/oauth/callback",),
        quirks=(
            "falls back to the scopes openid email profile",
            "may omit resource",
            "its port depends on the server's URL",
        ),
    ),
    KnownClient(
        family=ClientFamily.GEMINI_CLI,
        name="Gemini CLI",
        ways=(Way.DYNAMIC, Way.PREREGISTERED),
        source="https://github.com/google-gemini/gemini-cli/blob/main/packages/core/src/mcp/oauth-provider.ts",
        registered_names=("Gemini CLI MCP Client",),
        shared_redirects=("http://localhost/oauth/callback",),
        quirks=(
            "the resource must be the URL that its user entered",
            "another port every time",
            "registers an empty scope, older ones a member that does not exist",
        ),
    ),
)

_BY_DOCUMENT: Final = {address: known for known in KNOWN_CLIENTS for address in known.document_ids}


def known_document(client_id: str) -> tuple[KnownClient, tuple[str, ...]] | None:
    """Whose document has this address, and the redirect URIs that it is known to name."""
    known = _BY_DOCUMENT.get(client_id)
    if known is not None:
        uris = (*known.own_redirects, *known.shared_redirects)
        return known, tuple(uri for uri in uris if not uri.endswith("/*"))
    for known in KNOWN_CLIENTS:
        for family in known.document_families:
            redirect_uri = family.redirect_of(client_id)
            if redirect_uri is not None:
                return known, (redirect_uri,)
    return None


def client_family(client: Client) -> ClientFamily:
    """The family of ``client``: by its id, else by where it returns to, else by its own words.

    Its words do not count where it returns to an address that is not that family's.
    """
    document = known_document(client.client_id)
    return (
        (document[0].family if document else None)
        or _by_own_redirects(client.redirect_uris)
        or _by_name(client)
        or ClientFamily.OTHER
    )


def claimed_name(client: Client, redirect_uri: str) -> str | None:
    """The known client whose name ``client`` bears though ``redirect_uri`` is not one of its own.

    Loopback counts as anybody's: there nothing can be told. Operators may name a client as they
    like. A name that only looks like a known one is not noticed; the consent page shows where the
    answer goes in any case.
    """
    if redirects.is_loopback(redirect_uri) or client.kind is RegistrationKind.PREREGISTERED:
        return None
    named = _known_by_name(client.client_name)
    return None if named is None or _is_own(named, redirect_uri) else named.registered_names[0]


def _by_own_redirects(redirect_uris: tuple[str, ...]) -> ClientFamily | None:
    """The family to which every address leads that leaves the person's machine."""
    leaving = [uri for uri in redirect_uris if not redirects.is_loopback(uri)]
    for known in KNOWN_CLIENTS:
        if leaving and all(_is_own(known, uri) for uri in leaving):
            return known.family
    return None


def _is_own(known: KnownClient, uri: str) -> bool:
    return any(
        uri == own or (own.endswith("/*") and uri.startswith(own.removesuffix("*")))
        for own in known.own_redirects
    )


def _by_name(client: Client) -> ClientFamily | None:
    known = _known_by_name(client.client_name)
    if known is None or any(claimed_name(client, uri) for uri in client.redirect_uris):
        return None
    return known.family


def _known_by_name(client_name: str) -> KnownClient | None:
    """By the name it registered, alone or followed by the name of a server in brackets."""
    plain = client_name.split(" (", 1)[0].casefold()
    for known in KNOWN_CLIENTS:
        if plain in {name.casefold() for name in known.registered_names}:
            return known
    return None
