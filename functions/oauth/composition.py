"""Plugs the real adapters together for the composition root; opens no connection itself."""

from dataclasses import dataclass

from fastapi import FastAPI
from mangum import Mangum

from functions.oauth import preregistered_clients
from functions.oauth.app import create_app
from functions.oauth.caller_address import CallerAddresses
from functions.oauth.client_documents.fetcher import DOCUMENT_BYTES_MAX, DocumentFetcher
from functions.oauth.dependencies import Dependencies, Lifetimes
from functions.oauth.endpoints.callback import CALLBACK_PATH
from functions.oauth.flows.client_keys import KEY_SET_BYTES_MAX, ClientKeys
from functions.oauth.flows.document_client import DocumentClients
from functions.oauth.flows.ride_out import RIDE_OUT_SECONDS_MAX
from functions.oauth.pages.render import Pages
from shared.assembly import (
    OpenedAdapters,
    OpenedReadiness,
    oauth_of,
    opened_adapters,
    readiness_of,
)
from shared.domain.account_page import ACCOUNT_PATH
from shared.domain.circuits import Dependency
from shared.domain.scopes import offered_scopes
from shared.settings import OAuthFunctionSettings
from shared.settings_group import Stage
from shared.upstream.drupal_oauth import TOKEN_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The application, and what must be forgotten after a restore."""

    app: FastAPI
    server: Mangum
    opened: OpenedAdapters
    readiness: OpenedReadiness

    def forget(self) -> None:
        """Drop connections and opened keys."""
        self.opened.forget()
        self.readiness.forget()


def compose(settings: OAuthFunctionSettings) -> Parts:
    """Build every adapter from ``settings``, and the application over them."""
    opened = opened_adapters(settings)
    local = settings.stage is Stage.LOCAL
    readiness = readiness_of(settings, opened, dependency=Dependency.DRUPAL_OAUTH, path=TOKEN_PATH)
    dependencies = Dependencies(
        issuer=settings.issuer_url,
        mcp_url=settings.mcp_url,
        scopes_offered=offered_scopes(site_tools=settings.site_tools_enabled),
        site=settings.drupal_base_url,
        database=opened.database,
        readiness=readiness.check.report,
        vault=opened.vault,
        upstream=oauth_of(
            settings,
            opened.circuits,
            redirect_uri=f"{settings.issuer_url}{CALLBACK_PATH}",
        ),
        pages=Pages(
            settings.drupal_base_url,
            account_url=f"{settings.issuer_url}{ACCOUNT_PATH}",
            mcp_url=settings.mcp_url,
        ),
        lifetimes=Lifetimes(
            access_seconds=settings.access_token_seconds,
            refresh_sliding_seconds=settings.refresh_token_sliding_seconds,
            refresh_absolute_seconds=settings.refresh_token_absolute_seconds,
        ),
        preregistered=preregistered_clients.parse(settings.preregistered_clients),
        document_clients=DocumentClients(
            database=opened.database,
            fetcher=_fetcher(settings, bytes_max=DOCUMENT_BYTES_MAX),
            local=local,
        ),
        client_keys=ClientKeys(
            database=opened.database,
            fetcher=_fetcher(settings, bytes_max=KEY_SET_BYTES_MAX),
            local=local,
        ),
        caller_addresses=CallerAddresses(settings.origin_secrets()),
        dynamic_registration_enabled=settings.dynamic_registration_enabled,
        body_bytes_max=settings.oauth_body_bytes_max,
        upstream_timeout_seconds=settings.drupal_oauth_timeout_seconds,
        ride_out_seconds=RIDE_OUT_SECONDS_MAX,
    )
    app = create_app(dependencies)
    # Mangum would run the lifespan at every invocation; there is none.
    server = Mangum(app, lifespan="off")
    return Parts(app=app, server=server, opened=opened, readiness=readiness)


def _fetcher(settings: OAuthFunctionSettings, *, bytes_max: int) -> DocumentFetcher:
    local = settings.stage is Stage.LOCAL
    return DocumentFetcher(
        loopback_allowed=local,
        authorities_file=settings.client_document_authorities_file if local else None,
        bytes_max=bytes_max,
    )
