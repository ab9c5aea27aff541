"""Every endpoint: its name resolves, something answers, its certificate is trusted and lasts; and clocks agree."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient

from function_app.composition import Services
from shared.clients.endpoints import Endpoint, Reached, reach
from shared.clients.host_storage import StorageAccess
from shared.doctor import Check, Kind, Seen, ok, skipped, wrong
from shared.doctor.once import Once
from shared.errors import Code, PermanentError
from shared.settings import SERVICE_BUS_SETTING

PUBLIC_CLOUD: Final = "https://management.azure.com"
LASTS: Final = timedelta(days=14)
MOST_SKEW: Final = 60.0
_SECONDS: Final = 15.0
_REMEDY: Final = "check the address in the settings, the network between the app and it, and that it runs"
_CHAIN: Final = (
    "for an authority of your own name a file with it and the public ones in REQUESTS_CA_BUNDLE and SSL_CERT_FILE,"
    " for a hub in EDGETRAIN_SITES__NAME__CA_BUNDLE"
)

Where = Callable[[Services, str], list[Endpoint]]


class _Looks:
    """What each endpoint answered, asked once in an examination."""

    def __init__(self) -> None:
        self._once: Once[Reached] = Once()

    def reached(self, where: Where) -> Callable[[Services, str], Seen]:
        def look(services: Services, name: str) -> Seen:
            endpoints = where(services, name)
            if not endpoints:
                return skipped("the settings have none")
            return _judged([(each, self._once(each, lambda each=each: reach(each))) for each in endpoints])  # type: ignore[misc]

        return look

    def clock(self, where: Where) -> Callable[[Services, str], Seen]:
        def look(services: Services, name: str) -> Seen:
            for endpoint in where(services, name):
                try:
                    found = self._once(endpoint, lambda each=endpoint: reach(each))  # type: ignore[misc]
                except PermanentError:
                    return skipped("it was not reached")
                if found.ahead is not None:
                    return _judged_clock(found.ahead)
            return skipped("it tells no time")

        return look


def _judged(found: list[tuple[Endpoint, Reached]]) -> Seen:
    soon = datetime.now(UTC) + LASTS
    for endpoint, reached in found:
        if reached.valid_until is not None and reached.valid_until < soon:
            return wrong(
                f"the certificate of {endpoint.host} ends on {reached.valid_until:%Y-%m-%d}",
                wanted=f"one that lasts for {LASTS.days} days more",
                remedy=f"have whoever runs {endpoint.host} renew it",
            )
    return ok(", ".join(dict.fromkeys(f"{endpoint.host} answers" for endpoint, _ in found)))


def _judged_clock(ahead: float) -> Seen:
    if abs(ahead) < MOST_SKEW:
        return ok(f"they differ by less than {MOST_SKEW:.0f} s")
    return wrong(f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the app's")


def host_storage(services: Services, _: str) -> list[Endpoint]:
    """Tables and blobs of the host's storage."""
    storage = services.settings.host_storage
    if storage.connection_string is None:
        return [Endpoint(url=storage.tables), Endpoint(url=storage.blobs)]
    access = StorageAccess(storage)
    with access.tables() as tables, access.blobs() as blobs:
        return [Endpoint(url=tables.url), Endpoint(url=blobs.url)]


def hub(services: Services, name: str) -> list[Endpoint]:
    """The storage of a site; raises :class:`PermanentError` for a setting that is none."""
    site = services.settings.site(name)
    try:
        with BlobServiceClient.from_connection_string(site.connection_string.get_secret_value()) as client:
            return [Endpoint(url=f"{client.scheme}://{client.primary_hostname}", ca_bundle=site.ca_bundle)]
    except ValueError:
        setting = f"EDGETRAIN_SITES__{name.replace('-', '_').upper()}__CONNECTION_STRING"
        reason = f"{setting} is not a storage connection string with a blob endpoint; copy it again"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


def _registry(services: Services, _: str) -> list[Endpoint]:
    return [Endpoint(url=services.settings.container_registry.url)]


def _azure_ml(services: Services, _: str) -> list[Endpoint]:
    metadata = services.settings.azure_ml.metadata_url
    return [Endpoint(url=metadata if metadata.startswith("https://") else PUBLIC_CLOUD)]


def _announcements(services: Services, _: str) -> list[Endpoint]:
    topic = services.settings.announcements
    return [Endpoint(url=topic.endpoint)] if topic else []


def _signing(services: Services, _: str) -> list[Endpoint]:
    key = services.settings.signing.key_vault_key
    return [Endpoint(url=key)] if key else []


def _service_bus(services: Services, _: str) -> list[Endpoint]:
    bus = services.settings.service_bus
    if bus.connection_string is None:
        return [Endpoint(url=f"sb://{bus.namespace}")] if bus.namespace else []
    fields = dict(_fields(bus.connection_string.get_secret_value()))
    parts = urlsplit(fields.get("endpoint", ""))
    if not parts.hostname:
        reason = f"{SERVICE_BUS_SETTING} is not a connection string of a Service Bus namespace; copy it again"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    plain = fields.get("usedevelopmentemulator", "").lower() == "true"
    return [Endpoint(url=f"tcp://{parts.hostname}:{parts.port or 5672}" if plain else f"sb://{parts.netloc}")]


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        name, _, value = part.partition("=")
        yield name.strip().lower(), value.strip()


def checks(_: frozenset[str] | None = None) -> tuple[Check[Services], ...]:
    """The checks, for one examination."""
    looked = _Looks()

    def endpoint(name: str, what: str, why: str, where: Where, *, about: Kind = Kind.APP) -> Check[Services]:
        return Check(
            name=f"{name}.reached",
            about=about,
            wanted=f"{what}: its name resolves, it answers, and its certificate is trusted and lasts",
            why=why,
            remedy=f"{_REMEDY}; {_CHAIN}",
            look=looked.reached(where),
            seconds=_SECONDS,
        )

    return (
        endpoint("host_storage", "the host's storage", "the app does nothing without its ledger", host_storage),
        Check(
            name="host_storage.clock",
            about=Kind.APP,
            wanted=f"its clock and the app's differ by less than {MOST_SKEW:.0f} s",
            why="leases, retries and tokens are counted by the clock",
            remedy="where you run the app yourself, keep its machine's time by NTP",
            look=looked.clock(host_storage),
            seconds=_SECONDS,
        ),
        endpoint("hub", "the site's storage", "new data is not seen without it", hub, about=Kind.SITE),
        endpoint("registry", "the container registry", "images come from it and go to it", _registry),
        endpoint("azure_ml", "the cloud of Azure ML", "trainings are submitted there", _azure_ml),
        endpoint("announcements", "the Event Grid topic", "runs are announced there", _announcements),
        endpoint("service_bus", "the Service Bus namespace", "requests and answers pass through it", _service_bus),
        endpoint("signing", "the key vault", "nothing is built without a signature", _signing),
    )
