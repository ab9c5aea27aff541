"""Container apps at Azure Resource Manager, by ``azure-mgmt-appcontainers``; metrics and logs by their REST API."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

import requests
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ResourceNotFoundError

from shared.clients.container_apps.bodies import App, Revision, read_app, read_revision
from shared.clients.container_apps.errors import ARM, answered, refused, unanswered
from shared.clients.foreign_answers import foreign, json_object, stranger

ARM_SCOPE: Final = "https://management.azure.com/.default"
METRICS_VERSION: Final = "2023-10-01"
LONGEST_SPAN: Final = timedelta(days=28)  # metrics are kept for 93 days, and one question may span 30
_POLL_SECONDS: Final = 1
_PATIENCE_SECONDS: Final = 120.0
_TIMEOUT: Final = (10.0, 30.0)
_LOG_LINES: Final = 20
_LOG_LIMIT: Final = 4_000
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Replica:
    """The container of a revision's replica. ``details``: what the service says of its state."""

    ready: bool
    restarts: int
    details: str
    log_endpoint: str


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests that a revision answered, and those of them with a status of 500 and above."""

    requests: int = 0
    errors: int = 0


class ContainerApps:
    """The container apps of a resource group. Raises :class:`TransientError` and :class:`PermanentError` only.

    Of the former, ``shared.clients.container_apps.errors.Busy`` while another operation is under way at an app.
    """

    def __init__(
        self, *, url: str, subscription_id: str, resource_group: str, credential: TokenCredential, ca_bundle: str = ""
    ) -> None:
        self._url = url.rstrip("/")
        self._subscription_id = subscription_id
        self._group = resource_group
        self._credential = credential
        self._verify: str | bool = ca_bundle or True

    @cached_property
    def _client(self) -> Any:
        # Any: its types have no word for bodies in plain JSON, which it takes as they are.
        from azure.mgmt.appcontainers import ContainerAppsAPIClient

        logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
        return ContainerAppsAPIClient(
            self._credential,
            self._subscription_id,
            base_url=self._url,
            credential_scopes=[ARM_SCOPE],
            connection_verify=self._verify,
            polling_interval=_POLL_SECONDS,
            # The caller repeats what failed; a long silence here would only hold a thread.
            retry_total=2,
            retry_backoff_factor=0.3,
            read_timeout=60,
        )

    def app(self, name: str) -> App | None:
        """The app of that name; None when there is none."""
        with _translated(name, "show"):
            try:
                body = self._client.container_apps.get(self._group, name).as_dict()
            except ResourceNotFoundError as error:
                if error.error is None:  # not Azure Resource Manager's own word
                    raise
                return None
        return _understood(read_app, body)

    def revisions(self, app: App) -> list[Revision]:
        """All revisions of an app, deactivated ones too."""
        with _translated(app.name, "list the revisions of"):
            listed = self._client.container_apps_revisions.list_revisions(self._group, app.name)
            bodies = [each.as_dict() for each in listed]
        return [_understood(lambda body: read_revision(app, body), body) for body in bodies]

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        """Make an app, and wait until it is there."""
        with _translated(name, "create"):
            self._wait(self._client.container_apps.begin_create_or_update(self._group, name, dict(body)))

    def update(self, name: str, patch: Mapping[str, Any]) -> None:
        """Change an app, and wait until that is done."""
        with _translated(name, "change"):
            self._wait(self._client.container_apps.begin_update(self._group, name, dict(patch)))

    def delete(self, name: str) -> None:
        """Delete an app with all its revisions; no error when there is none."""
        with _translated(name, "delete"), suppress(ResourceNotFoundError):
            self._wait(self._client.container_apps.begin_delete(self._group, name))

    def activate(self, revision: Revision) -> None:
        """Switch a revision on."""
        with _translated(revision.name, "activate"):
            self._client.container_apps_revisions.activate_revision(self._group, revision.app, revision.name)

    def deactivate(self, revision: Revision) -> None:
        """Switch a revision off; its weight has to be elsewhere before."""
        with _translated(revision.name, "deactivate"):
            self._client.container_apps_revisions.deactivate_revision(self._group, revision.app, revision.name)

    def replica(self, revision: Revision) -> Replica | None:
        """The container of the revision's first replica; None when it has none."""
        with _translated(revision.name, "list the replicas of"):
            listed = self._client.container_apps_revision_replicas.list_replicas(
                self._group, revision.app, revision.name
            ).as_dict()
        for replica in listed.get("value") or ():
            properties = replica.get("properties") or {}
            for container in properties.get("containers") or ():
                details = container.get("runningStateDetails") or properties.get("runningStateDetails") or ""
                return Replica(
                    ready=bool(container.get("ready")),
                    restarts=int(container.get("restartCount") or 0),
                    details=str(details),
                    log_endpoint=str(container.get("logStreamEndpoint") or ""),
                )
        return None

    def last_log(self, revision: Revision, replica: Replica) -> str:
        """The end of what a container wrote, its lines joined by bars; empty when that cannot be had."""
        if not replica.log_endpoint:
            return ""
        try:
            token = self._client.container_apps.get_auth_token(self._group, revision.app).token
            response = requests.get(
                replica.log_endpoint,
                params={"tailLines": str(_LOG_LINES), "follow": "false", "output": "text"},
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT,
                verify=self._verify,
            )
        except (AzureError, requests.RequestException):
            return ""
        lines = response.text[-_LOG_LIMIT:].strip().splitlines()
        return " | ".join(lines) if response.status_code == 200 else ""

    def counted(self, app: App, since: datetime) -> dict[str, Counted]:
        """Requests by name of revision from ``since`` on, at the most from the beginning of the current four weeks.

        Azure Monitor's metric ``Requests`` of ``Microsoft.App/containerapps``; it is some minutes late.
        """
        now = datetime.now(UTC)
        # Not a window that slides, for its totals would fall all the time.
        since += (now - since) // LONGEST_SPAN * LONGEST_SPAN
        scope = f"/subscriptions/{self._subscription_id}/resourceGroups/{self._group}/providers"
        query = {
            "api-version": METRICS_VERSION,
            "metricnames": "Requests",
            "aggregation": "Total",
            "interval": "PT1H",
            "timespan": f"{since:%Y-%m-%dT%H:%M:%SZ}/{now + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
            "$filter": "revisionName eq '*' and statusCodeCategory eq '*'",
            "top": "1000",
        }
        token = self._credential.get_token(ARM_SCOPE).token
        url = f"{self._url}{scope}/Microsoft.App/containerApps/{app.name}/providers/Microsoft.Insights/metrics"
        try:
            response = requests.get(
                url,
                params=query,
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT,
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise unanswered("Azure Monitor", error) from None
        if instead := foreign(response.status_code, response.headers.get("Content-Type")):
            raise stranger("Azure Monitor", instead)
        body = json_object(response.content, "Azure Monitor")
        if response.status_code != 200:
            said = body.get("error") or body
            code, message = str(said.get("code") or ""), str(said.get("message") or "")
            raise refused(response.status_code, code, message, app.name, "give the metrics of")
        return _understood(_totals, body)

    def _wait(self, poller: Any) -> None:
        """Wait for an operation; one that takes longer goes on by itself, and whoever observes sees how far it is."""
        poller.wait(_PATIENCE_SECONDS)
        if poller.done():
            poller.result()


@contextmanager
def _translated(name: str, doing: str) -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        raise answered(error, name, doing) from None
    except (ValueError, TypeError, KeyError, AttributeError):  # what the SDK says of a page, or of other JSON
        raise stranger(ARM, "something that it never sends") from None


def _understood(read: Callable[[Mapping[str, Any]], _Answer], body: Mapping[str, Any]) -> _Answer:
    try:
        return read(body)
    except ValueError as error:
        raise stranger(ARM, str(error)) from None


def _totals(body: Mapping[str, Any]) -> dict[str, Counted]:
    """Sums by revision; ``statusCodeCategory`` is ``2xx`` and so on. Raises ``ValueError`` for another shape."""
    found: dict[str, Counted] = {}
    try:
        for series in body["value"][0]["timeseries"]:
            values = {entry["name"]["value"].lower(): str(entry["value"]) for entry in series["metadatavalues"]}
            total = round(sum(point.get("total") or 0 for point in series["data"]))
            name, failed = values["revisionname"], values["statuscodecategory"].startswith("5")
            before = found.get(name, Counted())
            found[name] = Counted(before.requests + total, before.errors + (total if failed else 0))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"metrics of another shape: {error!r}") from error
    return found
