"""HTTP client of the running app for its three kinds of callers: Event Grid's webhook, an operator, a data owner."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import requests
from azure.storage.blob import BlobServiceClient

from local_stack.supervisor.event_grid import storage_account_id, webhook
from shared.values.texts import shortened

Endpoints = dict[str, Any]

_UPLOADS_AT_ONCE: Final = 8
_PAGE: Final = "100"


@dataclass(frozen=True, slots=True)
class Landed:
    """A blob as the hub's storage has it after an upload."""

    container: str
    name: str
    etag: str
    size: int


def land(endpoints: Endpoints, container: str, name: str, content: bytes) -> Landed:
    """Put a blob into the hub's storage, as the data owner does; makes the container when it is not there."""
    (landed,) = land_all(endpoints, container, {name: content})
    return landed


def land_all(endpoints: Endpoints, container: str, files: Mapping[str, bytes]) -> Iterator[Landed]:
    """Put many blobs into the hub's storage, some at a time; yields each, in the order given, once it is there."""
    hub = endpoints["hub_storage"]
    with BlobServiceClient.from_connection_string(hub["connection_string"], api_version=hub["api_version"]) as service:
        client = service.get_container_client(container)
        if not client.exists():
            client.create_container()

        def put(file: tuple[str, bytes]) -> Landed:
            name, content = file
            written = client.get_blob_client(name).upload_blob(content, overwrite=True)
            return Landed(container, name, str(written["etag"]).strip('"'), len(content))

        with ThreadPoolExecutor(max_workers=_UPLOADS_AT_ONCE) as pool:
            yield from pool.map(put, files.items())


def blob_created(endpoints: Endpoints, blob: Landed, *, event_id: str | None = None) -> dict[str, Any]:
    """The ``Microsoft.Storage.BlobCreated`` event of an upload, in the Event Grid schema."""
    hub = endpoints["hub_storage"]
    return {
        "id": event_id or str(uuid.uuid4()),
        "topic": storage_account_id(hub["account"]),
        "subject": f"/blobServices/default/containers/{blob.container}/blobs/{blob.name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "api": "PutBlob",
            "requestId": str(uuid.uuid4()),
            "eTag": blob.etag,
            "contentType": "text/csv",
            "contentLength": blob.size,
            "blobType": "BlockBlob",
            "url": f"{hub['blob_endpoint'].rstrip('/')}/{blob.container}/{blob.name}",
            "sequencer": f"{time.time_ns():032X}",
        },
        "dataVersion": "",
        "metadataVersion": "1",
    }


class AppClient:
    """The app's front doors on one host. Errors of HTTP raise ``requests.HTTPError`` with the answer's text."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        host = endpoints["functions_host"]
        self._url: str = host["url"].rstrip("/")
        self._event_grid_key: str = host["event_grid_key"]
        self._master_key: str = host["master_key"]
        self._session = requests.Session()
        self._session.headers["x-functions-key"] = host["function_key"]

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def deliver(self, *events: dict[str, Any], function: str = "on_data_arrival", attempts: int = 1) -> int:
        """Deliver events to the webhook as Event Grid does, one request each; the last status code.

        ``attempts`` above 1 delivers again after a failure, as the service would.
        """
        status = 0
        for event in events:
            for attempt in range(attempts):
                try:
                    status = self._notify([event], function, delivery_count=attempt)
                except requests.ConnectionError:
                    status = 0
                if 200 <= status < 300:
                    break
                time.sleep(0.3)  # the service backs off too; here only as long as a restart of the host takes
        return status

    def _notify(self, body: list[dict[str, Any]], function: str, *, delivery_count: int) -> int:
        answer = requests.post(
            webhook(self._url, self._event_grid_key, function),
            headers={"aeg-event-type": "Notification", "aeg-delivery-count": str(delivery_count)},
            json=body,
            timeout=60,
        )
        return answer.status_code

    def handshake(self, function: str = "on_data_arrival") -> bool:
        """Whether the webhook proves that it wants the events, as Event Grid asks when a subscription is made."""
        code = str(uuid.uuid4())
        event = {
            "id": str(uuid.uuid4()),
            "topic": "hub",
            "subject": "",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": datetime.now(UTC).isoformat(),
            "data": {"validationCode": code},
            "dataVersion": "1",
        }
        answer = requests.post(
            webhook(self._url, self._event_grid_key, function),
            headers={"aeg-event-type": "SubscriptionValidation"},
            json=[event],
            timeout=30,
        )
        return answer.status_code == 200 and answer.json().get("validationResponse") == code

    def get(self, path: str, **params: str) -> requests.Response:
        """A GET with the function key; ``path`` starts with ``/api``."""
        return self._session.get(self._url + path, params=params, timeout=60)

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        """A POST with the function key and a JSON body."""
        return self._session.post(self._url + path, json=body, headers=headers, timeout=120)

    def run(self, run_id: str) -> dict[str, Any]:
        """What the app says of a run."""
        answer = self.get(f"/api/runs/{run_id}")
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def runs(self, pipeline: str) -> list[dict[str, Any]]:
        """The runs of a pipeline, newest first."""
        answer = self.get("/api/runs", pipeline=pipeline)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["runs"]
        return found

    def why(self, pipeline: str, blob: str) -> dict[str, Any]:
        """Why a blob was trained, or was not: a verdict, a sentence, and what they rest on."""
        answer = self.get("/api/why", pipeline=pipeline, blob=blob)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def arrivals(self, pipeline: str) -> list[dict[str, Any]]:
        """Every arrival of a pipeline, newest first, page by page."""
        found: list[dict[str, Any]] = []
        page: dict[str, str] = {"limit": _PAGE}
        while True:
            answer = self.get(f"/api/pipelines/{pipeline}/arrivals", **page)
            answer.raise_for_status()
            body = answer.json()
            found += body["arrivals"]
            if not body["continuation"]:
                return found
            page["continuation"] = body["continuation"]

    def fire(self, function: str) -> None:
        """Run a timer's function now, as a person with the master key can; returns when it is started."""
        answer = requests.post(
            f"{self._url}/admin/functions/{function}",
            headers={"x-functions-key": self._master_key},
            json={"input": ""},
            timeout=30,
        )
        answer.raise_for_status()

    def workers(self) -> list[dict[str, int]]:
        """The host's worker processes, with the calls that each was given."""
        answer = requests.get(
            f"{self._url}/admin/host/processes", headers={"x-functions-key": self._master_key}, timeout=30
        )
        answer.raise_for_status()
        found: list[dict[str, int]] = answer.json()["workers"]
        return found

    def wait_for_new_run(self, pipeline: str, known: set[str], *, seconds: float = 600) -> str:
        """The id of a run that is not among ``known``; raises ``TimeoutError``, which says what became of the data."""
        try:
            for _ in deadline(seconds, f"a new run of {pipeline}"):
                fresh = [
                    run["run_id"]
                    for run in self._quietly(lambda: self.runs(pipeline), [])
                    if run["run_id"] not in known
                ]
                if fresh:
                    return str(fresh[0])
        except TimeoutError as late:
            raise TimeoutError(f"{late}; {self._what_became_of(pipeline)}") from None
        raise AssertionError  # deadline() raises first

    def _what_became_of(self, pipeline: str) -> str:
        """The verdicts on a pipeline's arrivals, with how many have each; or why the app does not say."""
        try:
            arrivals = self.arrivals(pipeline)
        except requests.RequestException as error:
            return f"the app does not answer: {shortened(error)}"
        verdicts = Counter(f"{each['verdict']} {each.get('reason') or ''}".strip() for each in arrivals)
        return "arrivals: " + ("; ".join(f"{number} {verdict}" for verdict, number in verdicts.items()) or "none")

    def wait_for_outcome(
        self,
        run_id: str,
        *,
        seconds: float = 900,
        seen: Callable[[dict[str, Any]], None] | None = None,
        pause: float | None = None,
    ) -> dict[str, Any]:
        """The run once it has ended; ``seen`` gets every status on the way. Rides out a restart of the host."""
        for _ in deadline(seconds, f"the outcome of {run_id}", pause):
            run: dict[str, Any] = self._quietly(lambda: self.run(run_id), {})
            if run and seen:
                seen(run)
            if run.get("outcome"):
                return run
        raise AssertionError  # deadline() raises first

    @staticmethod
    def _quietly(call: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return call()
        except requests.RequestException:
            return otherwise


def deadline(seconds: float, what: str, pause: float | None = None) -> Iterator[None]:
    """Yield until ``seconds`` have passed, then raise ``TimeoutError`` naming ``what`` was waited for.

    Without a ``pause`` between two looks, it is a twentieth of what was waited so far, 0.2 to 2 seconds: looking takes
    time of the machine from whatever is waited for.
    """
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds:
        yield
        time.sleep(min(max(0.2, waited / 20), 2) if pause is None else pause)
    raise TimeoutError(f"{what} did not come within {seconds:g} s")


@contextmanager
def app_client(endpoints: Endpoints) -> Iterator[AppClient]:
    """An :class:`AppClient` that is closed at the end."""
    client = AppClient(endpoints)
    try:
        yield client
    finally:
        client.close()
