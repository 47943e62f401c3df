"""The authorization server's parts as tests plug them together: all real but for Drupal."""

from collections.abc import Sequence

from functions.oauth.caller_address import CallerAddresses
from functions.oauth.client_documents.fetcher import DocumentFetcher
from functions.oauth.dependencies import Dependencies, Lifetimes, UpstreamOAuth
from functions.oauth.flows.client_keys import KEY_SET_BYTES_MAX, ClientKeys
from functions.oauth.flows.document_client import DocumentClients
from functions.oauth.pages.render import Pages
from shared.domain.scopes import SCOPES_OFFERED
from shared.state.circuits import StoredCircuits
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import TokenVault
from shared.workflows.readiness import ReadinessCheck
from tests.integration.oauth.driver import FORMER_ORIGIN_SECRET, ISSUER, MCP_URL, ORIGIN_SECRET
from tests.integration.oauth.upstream_stub import SITE


def kms_of(*, endpoint: str, key_id: str) -> KmsDataKeys:
    """The real adapter to a played KMS."""
    return KmsDataKeys(
        key_id,
        connect_timeout_seconds=5,
        read_timeout_seconds=10,
        endpoint_url=endpoint,
        region_name="eu-central-1",
    )


def vault_of(database: Database, *, kms_endpoint: str, kms_key_id: str) -> TokenVault:
    """The real vault over a played KMS."""
    kms = kms_of(endpoint=kms_endpoint, key_id=kms_key_id)
    return TokenVault(stage="local", kms=kms, keys=StoredDataKeys(database), cache_seconds=300)


async def loopback_only(host: str, port: int) -> Sequence[str]:
    """A resolver that knows nobody else: no test may reach the internet."""
    if host != "127.0.0.1":
        raise OSError(f"{host}:{port} is away")
    return [host]


def dependencies_of(
    database: Database, *, vault: TokenVault, upstream: UpstreamOAuth
) -> Dependencies:
    """Everything plugged together, with short lives where tests wait for their end."""
    return Dependencies(
        scopes_offered=SCOPES_OFFERED,
        issuer=ISSUER,
        mcp_url=MCP_URL,
        site=SITE,
        database=database,
        readiness=ReadinessCheck(StoredCircuits(database), {}).report,
        vault=vault,
        upstream=upstream,
        pages=Pages(SITE, account_url=f"{ISSUER}/account", mcp_url=MCP_URL),
        lifetimes=Lifetimes(
            access_seconds=3_600,
            refresh_sliding_seconds=86_400 * 30,
            refresh_absolute_seconds=86_400 * 90,
        ),
        preregistered={},
        dynamic_registration_enabled=True,
        document_clients=DocumentClients(
            database=database,
            fetcher=DocumentFetcher(loopback_allowed=True, resolve=loopback_only),
            local=True,
        ),
        client_keys=ClientKeys(
            database=database,
            fetcher=DocumentFetcher(
                loopback_allowed=True, resolve=loopback_only, bytes_max=KEY_SET_BYTES_MAX
            ),
            local=True,
        ),
        caller_addresses=CallerAddresses([FORMER_ORIGIN_SECRET, ORIGIN_SECRET]),
        body_bytes_max=64_000,
        upstream_timeout_seconds=5,
        ride_out_seconds=1,
    )
