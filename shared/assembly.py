"""The adapters that several functions are made of, built from their settings.

For composition roots only; opens no connection itself, so that a snapshot holds none.
"""

from dataclasses import dataclass

from shared import aws_service, stored_settings
from shared.circuit.guard import CircuitGuard
from shared.circuit.watches import key_service_watch, oauth_watch
from shared.domain.circuits import Dependency
from shared.domain.connection_lives import ConnectionLife
from shared.observability import circuit_states
from shared.queue.pair_spill import DynamoDbPairSpill
from shared.queue.refresh_queue import SqsWatchdog
from shared.settings import SafetyNetSettings, SpillSettings, StateSettings, UpstreamSettings
from shared.state.circuits import StoredCircuits
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.state.refused_seals import AuditedRefusals
from shared.state.statement_times import StatementTimes
from shared.upstream import transport
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.site_probe import SiteProbe
from shared.upstream.transport import TransportLimits
from shared.vault import kms_data_keys
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import TokenVault
from shared.workflows.readiness import Look, ReadinessCheck, not_looked_at
from shared.workflows.safety_nets import SafetyNets


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedAdapters:
    """The adapters that hold connections and keys while an environment lives."""

    database: Database
    vault: TokenVault
    kms: KmsDataKeys
    circuits: CircuitGuard

    def forget(self) -> None:
        """Drop connections and opened keys."""
        self.database.forget_connections()
        self.vault.forget_keys()

    async def close(self) -> None:
        """End in good order: nothing is reported any more, and no connection is left."""
        await self.circuits.close()
        await self.database.close()
        self.vault.forget_keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedNets:
    """The nets of a refresh that this deployment has."""

    spill: DynamoDbPairSpill | None
    watchdog: SqsWatchdog | None

    @property
    def safety_nets(self) -> SafetyNets:
        """As the refresh takes them."""
        return SafetyNets(spill=self.spill, watchdog=self.watchdog)

    def forget(self) -> None:
        """Drop connections and credentials."""
        for net in (self.spill, self.watchdog):
            if net is not None:
                net.forget_client()


def prepare() -> None:
    """Do ahead of a snapshot what all environments that wake up from it may share.

    Code, certificates and descriptions of services; nothing unique, connected or secret.
    """
    stored_settings.prepare()
    kms_data_keys.prepare()
    transport.prepare()


def prepare_with_nets() -> None:
    """The same for a function that refreshes, with queue and second store."""
    prepare()
    aws_service.prepare("sqs", "dynamodb")


def prepare_with_spill() -> None:
    """The same for a function that looks into the second store."""
    prepare()
    aws_service.prepare("dynamodb")


def opened_spill(settings: SpillSettings) -> DynamoDbPairSpill | None:
    """The second store, where there is one."""
    table = settings.spill_table
    return None if table is None else DynamoDbPairSpill(table)


def opened_nets(settings: SafetyNetSettings) -> OpenedNets:
    """The second store and the watchdog, where there are any."""
    url = settings.watchdog_queue_url
    return OpenedNets(
        spill=opened_spill(settings),
        watchdog=None if url is None else SqsWatchdog(url),
    )


def opened_adapters(settings: StateSettings) -> OpenedAdapters:
    """Postgres, and the token vault over it."""
    database = Database(
        settings.database_url.get_secret_value(),
        connections_max=settings.database_connections_max,
        connect_timeout_seconds=settings.database_connect_timeout_seconds,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        statement_times=StatementTimes(settings.database_slow_statement_milliseconds),
        connection_life=ConnectionLife(
            seconds_max=settings.database_connection_seconds_max,
            uses_max=settings.database_connection_uses_max,
        ),
        watch_connect=lambda seconds: circuits.watch(Dependency.POSTGRES, timeout_seconds=seconds),
    )
    circuits = CircuitGuard(fleet=StoredCircuits(database))
    circuit_states.told_by(circuits.standings)
    kms = KmsDataKeys(
        settings.kms_key_id,
        connect_timeout_seconds=settings.kms_connect_timeout_seconds,
        read_timeout_seconds=settings.kms_read_timeout_seconds,
        watch=key_service_watch(circuits),
    )
    vault = TokenVault(
        stage=settings.stage,
        kms=kms,
        keys=StoredDataKeys(database),
        cache_seconds=settings.data_key_cache_seconds,
        refusals=AuditedRefusals(database),
    )
    return OpenedAdapters(database=database, vault=vault, kms=kms, circuits=circuits)


def oauth_of(
    settings: UpstreamSettings, circuits: CircuitGuard, *, redirect_uri: str = ""
) -> DrupalOAuth:
    """The site's OAuth server behind its circuit."""
    return DrupalOAuth(
        site_of(settings, redirect_uri=redirect_uri),
        limits=limits_of(settings),
        watch=oauth_watch(circuits),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedReadiness:
    """``/health/ready`` of a function that talks to one part of the site."""

    check: ReadinessCheck
    probe: SiteProbe

    def forget(self) -> None:
        """Drop connections and what was found."""
        self.check.forget()
        self.probe.drop_connections()


def readiness_of(
    settings: UpstreamSettings, opened: OpenedAdapters, *, dependency: Dependency, path: str
) -> OpenedReadiness:
    """Postgres, KMS, and the site at ``path``, which stands for ``dependency``.

    The search engine is behind the site's JSON-RPC: only searches tell how it is.
    """
    probe = SiteProbe(
        site_of(settings), path, operation=dependency.value, limits=limits_of(settings)
    )
    looks: dict[Dependency, Look] = {dependency: probe.look, Dependency.KMS: opened.kms.look}
    if dependency is Dependency.DRUPAL_RPC:
        looks[Dependency.DRUPAL_SEARCH] = not_looked_at
    check = ReadinessCheck(
        StoredCircuits(opened.database),
        looks,
        own_circuit=lambda name: opened.circuits.standing(name).state,
    )
    return OpenedReadiness(check=check, probe=probe)


def site_of(settings: UpstreamSettings, *, redirect_uri: str = "") -> DrupalSite:
    """The Drupal site; ``redirect_uri`` is our callback where people sign in."""
    secret = settings.drupal_client_secret
    return DrupalSite(
        base_url=settings.drupal_base_url,
        client_id=settings.drupal_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=settings.drupal_scopes,
        redirect_uri=redirect_uri,
    )


def limits_of(settings: UpstreamSettings) -> TransportLimits:
    """What one exchange with the site may cost."""
    return TransportLimits(
        connect_timeout_seconds=settings.drupal_connect_timeout_seconds,
        answer_bytes_max=settings.drupal_answer_bytes_max,
        connection_life=ConnectionLife(
            seconds_max=settings.drupal_connection_seconds_max,
            uses_max=settings.drupal_connection_uses_max,
        ),
    )
