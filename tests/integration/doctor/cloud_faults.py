"""What can be wrong with the app's settings for the cloud, its endpoints, rights there, and its pipelines."""

import datetime as dt
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from function_app.doctor.messages import REQUESTS
from local_stack.supervisor.event_grid import data_arrival
from shared.doctor import State
from shared.settings import ARRIVALS_TOPIC_SETTING
from tests.integration.doctor.lab import PIPELINE, Fault, Lab
from tests.integration.event_grid.stand_in import receiving
from tests.support.small_servers import DAY, NOW, certificate, dated, served

Changes = Mapping[str, str]
WRONG, UNKNOWN = State.WRONG, State.UNKNOWN
HOST_STORAGE, BUS = "AzureWebJobsStorage", "ServiceBusConnection"
TOPIC = "EDGETRAIN_ANNOUNCEMENTS__"
AZURE_ML = "EDGETRAIN_AZURE_ML__"


def changed(**settings: str) -> Any:
    """Other values of settings; ``HUB_VM`` and the like as in the environment."""

    @contextmanager
    def plant(_: Lab) -> Iterator[Changes]:
        yield settings

    return plant


def with_another(setting: str, pattern: str, instead: str) -> Any:
    """A part of a setting replaced by something of the same kind."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        text, times = re.subn(pattern, instead, lab.settings[setting])
        assert times, f"{setting} has no {pattern}"
        yield {setting: text}

    return plant


def registry_at(scheme: str, *, until: dt.datetime = NOW + 90 * DAY) -> Any:
    """The registry's address leads to a server with a certificate of nobody's."""

    @contextmanager
    def plant(_: Lab) -> Iterator[Changes]:
        with (
            TemporaryDirectory(prefix="edgetrain-doctor-") as folder,
            served(dated(dt.datetime.now(dt.UTC)), certificate(Path(folder), until=until)) as port,
        ):
            yield {"EDGETRAIN_CONTAINER_REGISTRY__URL": f"{scheme}://127.0.0.1:{port}"}

    return plant


@contextmanager
def dead_letter(lab: Lab) -> Iterator[Changes]:
    """A request was given up after too many tries."""
    with ServiceBusClient.from_connection_string(lab.settings[BUS]) as client:
        with client.get_queue_sender(REQUESTS) as sender:
            sender.send_messages(ServiceBusMessage("{}"))
        with client.get_queue_receiver(REQUESTS) as receiver:
            [message] = receiver.receive_messages(1, max_wait_time=10)
            receiver.dead_letter_message(message, reason="MaxDeliveryCountExceeded")
        try:
            yield {}
        finally:
            with client.get_queue_receiver(REQUESTS, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as buried:
                [message] = buried.receive_messages(1, max_wait_time=10)
                buried.complete_message(message)


@contextmanager
def nothing_there(lab: Lab) -> Iterator[Changes]:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield {f"{TOPIC}ENDPOINT": f"http://127.0.0.1:{port}/api/events"}


@contextmanager
def clock_ahead(lab: Lab) -> Iterator[Changes]:
    """The host's storage is ten minutes ahead."""
    with served(dated(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10))) as port:
        text = lab.settings[HOST_STORAGE]
        yield {HOST_STORAGE: re.sub(r"http://127\.0\.0\.1:\d+", f"http://127.0.0.1:{port}", text)}


@contextmanager
def certificate_ends(lab: Lab) -> Iterator[Changes]:
    """A hub with an authority of its own, whose certificate ends in three days."""
    with TemporaryDirectory(prefix="edgetrain-doctor-") as folder:
        chain = certificate(Path(folder), until=NOW + 3 * DAY)
        with served(dated(dt.datetime.now(dt.UTC)), chain) as port:
            text = f"BlobEndpoint=https://127.0.0.1:{port}/a;AccountName=a;AccountKey=YWJj"
            yield {
                "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": text,
                "EDGETRAIN_SITES__FACTORY__CA_BUNDLE": str(chain),
            }


@contextmanager
def storage_of_the_hub(lab: Lab) -> Iterator[Changes]:
    yield {HOST_STORAGE: lab.stack.endpoints["hub_storage"]["connection_string"]}


@contextmanager
def no_container(lab: Lab) -> Iterator[Changes]:
    """The pipeline's file names a container that is not there."""
    with file_with(lab, f"container: {PIPELINE}", "container: not-there"):
        yield {}


@contextmanager
def unknown_compute(lab: Lab) -> Iterator[Changes]:
    with file_with(lab, "compute: hub-vm", "compute: no-such-vm"):
        yield {}


@contextmanager
def file_with(lab: Lab, text: str, instead: str) -> Iterator[None]:
    file = lab.app_root / "pipelines" / f"{PIPELINE}.yaml"
    before = file.read_text(encoding="utf-8")
    assert text in before
    file.write_text(before.replace(text, instead), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(before, encoding="utf-8")


def subscribed(**instead: Any) -> Any:
    """The subscription that brings new data is another one."""

    @contextmanager
    def plant(lab: Lab) -> Iterator[Changes]:
        usual = data_arrival(lab.webhook)
        lab.event_grid("PUT", json={**usual, **instead})
        try:
            yield {}
        finally:
            lab.event_grid("PUT", json=usual)

    return plant


@contextmanager
def no_subscription(lab: Lab) -> Iterator[Changes]:
    lab.event_grid("DELETE")
    try:
        yield {}
    finally:
        lab.event_grid("PUT", json=data_arrival(lab.webhook))


@contextmanager
def leads_elsewhere(lab: Lab) -> Iterator[Changes]:
    with receiving() as other, subscribed(endpoint=other.url)(lab):
        yield {}


@contextmanager
def may_not_read(lab: Lab) -> Iterator[Changes]:
    """The right to read subscriptions is missing."""
    known = lab.stack.endpoints["azure_ml"]
    url, how = f"{known['url']}/_faults", {"x-faults-key": known["faults_key"]}
    fault = {"path": "eventSubscriptions", "status": 403}
    requests.post(url, headers=how, json=fault, verify=known["ca_bundle"], timeout=30).raise_for_status()
    try:
        yield {}
    finally:
        requests.delete(url, headers=how, verify=known["ca_bundle"], timeout=30).raise_for_status()


FAULTS = (
    Fault(
        "a registry whose certificate is not trusted", "endpoints", {"registry.reached": WRONG}, registry_at("https")
    ),
    Fault(
        "a registry whose certificate has expired",
        "endpoints",
        {"registry.reached": WRONG},
        registry_at("https", until=NOW - DAY),
    ),
    Fault("a topic where nothing answers", "endpoints", {"announcements.reached": WRONG}, nothing_there),
    Fault(
        "a vault whose name does not resolve",
        "endpoints",
        {"signing.reached": WRONG},
        changed(EDGETRAIN_SIGNING__KEY_VAULT_KEY="https://nobody.invalid/keys/k/1"),
    ),
    Fault("a storage that is ten minutes ahead", "endpoints", {"host_storage.clock": WRONG}, clock_ahead),
    Fault("a hub whose certificate ends soon", "endpoints", {"hub.reached": WRONG}, certificate_ends),
    Fault(
        "a file of authorities that is not there",
        "hub",
        {"hub.answers": WRONG},
        changed(EDGETRAIN_SITES__FACTORY__CA_BUNDLE="/no/such/bundle.pem"),
    ),
    Fault(
        "a wrong key of the host's storage",
        "host_storage",
        {"host_storage.tables": WRONG, "host_storage.blobs": WRONG},
        with_another(HOST_STORAGE, r"AccountKey=[^;]{8}", "AccountKey=AAAAAAAA"),
    ),
    Fault(
        "the host's storage on the hub",
        "host_storage",
        {"host_storage.elsewhere": WRONG, "host_storage.tables": UNKNOWN, "host_storage.blobs": WRONG},
        storage_of_the_hub,
    ),
    Fault(
        "a wrong key of Service Bus",
        "messages",
        {"service_bus.requests": WRONG, "service_bus.answers": WRONG},
        with_another(BUS, r"SharedAccessKey=[^;]{8}", "SharedAccessKey=AAAAAAAA"),
    ),
    Fault(
        "no namespace, and the trigger on",
        "messages",
        {"service_bus.requests": WRONG, "service_bus.answers": WRONG, "service_bus.repeats": WRONG},
        changed(ServiceBusConnection=""),
    ),
    Fault("a request that was given up", "messages", {"service_bus.dead_letters": WRONG}, dead_letter),
    Fault(
        "a wrong key of the topic",
        "messages",
        {"announcements.rights": WRONG},
        changed(EDGETRAIN_ANNOUNCEMENTS__KEY="d3Jvbmc="),
    ),
    Fault(
        "a topic that does not exist",
        "messages",
        {"announcements.rights": WRONG},
        with_another(f"{TOPIC}ENDPOINT", r"/topics/[^/]+/", "/topics/none-such/"),
    ),
    Fault(
        "a subscription that leaves out what is written",
        "arrivals",
        {"arrivals.subscription": WRONG},
        subscribed(filter={"includedEventTypes": ["Microsoft.Storage.BlobDeleted"]}),
    ),
    Fault(
        "a subscription to another container",
        "arrivals",
        {"arrivals.subscription": WRONG},
        subscribed(filter={"subjectBeginsWith": "/blobServices/default/containers/others/"}),
    ),
    Fault("no subscription", "arrivals", {"arrivals.subscription": WRONG}, no_subscription),
    Fault("a subscription that leads elsewhere", "arrivals", {"arrivals.subscription": WRONG}, leads_elsewhere),
    Fault("no right to read subscriptions", "arrivals", {"arrivals.subscription": UNKNOWN}, may_not_read),
    Fault(
        "a topic of arrivals that does not exist",
        "arrivals",
        {"arrivals.subscription": WRONG},
        with_another(ARRIVALS_TOPIC_SETTING, "/topics/.*", "/topics/none-such"),
    ),
    Fault(
        "a wrong secret of Azure ML",
        "azure_ml",
        {"azure_ml.workspace": WRONG, "azure_ml.compute": WRONG},
        changed(EDGETRAIN_AZURE_ML__CLIENT_SECRET="wrong"),
    ),
    Fault(
        "a workspace that does not exist",
        "azure_ml",
        {"azure_ml.workspace": UNKNOWN, "azure_ml.compute": UNKNOWN},
        changed(EDGETRAIN_AZURE_ML__WORKSPACE="none-such"),
    ),
    Fault("a container that does not exist", "hub", {"data.container": WRONG}, no_container, ("pipelines",)),
    Fault("a pipeline with an unknown compute", "pipelines", {"pipeline.file": WRONG}, unknown_compute),
    Fault(
        "a private key that is none",
        "settings",
        {"settings.compute": WRONG},
        changed(EDGETRAIN_COMPUTES__HUB_VM__PRIVATE_KEY="none"),
    ),
    Fault(
        "a target without its host key",
        "settings",
        {"settings.target": WRONG},
        changed(EDGETRAIN_TARGETS__HUB_VM__HOST_KEY=""),
    ),
)
