"""A whole site with one pipeline, and the doctor that looks at it: faults are planted in it, and taken out again."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import requests
import yaml
from azure.storage.blob import BlobServiceClient, ContainerClient

from function_app.composition import Services
from function_app.doctor import catalogue, scope
from function_app.doctor.catalogue import checks_of
from function_app.doctor.examination import hidden
from local_stack.app_client import land_all
from local_stack.prepare import prepare
from local_stack.supervisor import Stack
from local_stack.supervisor.app_settings import app_settings
from local_stack.supervisor.event_grid import SUBSCRIPTION, data_arrival
from shared.clients.container_registry import ContainerRegistryClient, connect
from shared.doctor import Finding, State, looks, run
from shared.settings import HUB_API_VERSION, Settings
from tests.integration.event_grid.stand_in import receiving
from tests.support.stack import CACHE, ROOT, state_folder

PIPELINE = "breast-cancer"
HOLDOUT = "holdout/holdout.csv"
MODULES = catalogue.MODULES
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_WITHOUT_THE_HOST = (
    "azure_arm",
    "azure_ml",
    "cloud_storage",
    "event_grid",
    "haproxy",
    "hub_storage",
    "registry_gate",
    "service_bus",
    "vm",
)


@dataclass
class Lab:
    """The stack, the app's settings for it, and what the doctor says."""

    stack: Stack
    app_root: Path
    settings: dict[str, str] = field(default_factory=dict)
    webhook: str = ""

    @property
    def home(self) -> Path:
        """Of the VM's user."""
        return Path(self.stack.endpoints["vm"]["home"])

    @property
    def registry(self) -> ContainerRegistryClient:
        """As the app."""
        return connect(self.read_settings({}).container_registry)

    def event_grid(self, method: str, **how: Any) -> None:
        """Change the subscription that brings new data to the app."""
        known = self.stack.endpoints["event_grid"]
        headers, url = {"x-control-key": known["control_key"]}, f"{known['control_url']}/subscriptions/{SUBSCRIPTION}"
        requests.request(method, url, headers=headers, timeout=30, **how).raise_for_status()

    @contextmanager
    def hub(self, container: str = PIPELINE) -> Iterator[ContainerClient]:
        """A container of the hub, as its owner."""
        text = self.stack.endpoints["hub_storage"]["connection_string"]
        with BlobServiceClient.from_connection_string(text, api_version=HUB_API_VERSION) as service:
            yield service.get_container_client(container)

    def read_settings(self, changes: Mapping[str, str]) -> Settings:
        """The app's settings, some of them changed; an empty text takes one away."""
        with patch.dict(os.environ):
            for name in [each for each in os.environ if each.startswith("EDGETRAIN_")]:
                del os.environ[name]
            os.environ.update({name: text for name, text in {**self.settings, **changes}.items() if text})
            return Settings()

    def ask(self, modules: Sequence[str], changes: Mapping[str, str]) -> tuple[Finding, ...]:
        """What the checks of these modules find."""
        services = Services()
        services.__dict__["settings"] = self.read_settings(changes)
        checks = [check for name in modules for check in checks_of(name)]
        return run(looks(checks, services, scope.everything(services)), hidden=hidden(services.settings))


class Plant(Protocol):
    """Plants a fault for the time of a ``with`` block; gives the settings that are changed by it."""

    def __call__(self, lab: Lab) -> AbstractContextManager[Mapping[str, str]]: ...


@dataclass(frozen=True)
class Fault:
    """``named``: the checks that name it, with their state; every other one of ``module`` and ``beside`` stays well."""

    name: str
    module: str
    named: Mapping[str, State]
    plant: Plant
    beside: tuple[str, ...] = ()


@contextmanager
def planted(lab: Lab, faults: Sequence[Fault]) -> Iterator[dict[str, str]]:
    """All of these at once."""
    with ExitStack() as exits:
        changes: dict[str, str] = {}
        for fault in faults:
            changes |= exits.enter_context(fault.plant(lab))
        yield changes


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """The stack without the app's host, prepared for one pipeline that is served on the VM and in the cloud."""
    with (
        state_folder() as state,
        Stack.start(state, cache=CACHE, only=_WITHOUT_THE_HOST) as stack,
        receiving(path="/runtime/webhooks/eventgrid") as host,  # it agrees to the subscription, as the host would
    ):
        prepare(stack.endpoints, [PIPELINE], cache=CACHE, progress=lambda _: None)
        root = _app_root(folder)
        lab = Lab(stack, root, {**app_settings(stack.endpoints), "EDGETRAIN_APP_ROOT": str(root)}, host.url)
        lab.event_grid("PUT", json=data_arrival(host.url))
        list(land_all(stack.endpoints, PIPELINE, {HOLDOUT: b"x\n1\n", "landing/one.csv": b"x\n2\n"}))
        with lab.hub("edgetrain-manifests") as manifests:
            manifests.create_container()
        # The stand-in of Azure ML has an authority of its own, which the app is told of in its environment.
        with patch.dict(os.environ, {name: lab.settings[name] for name in _AUTHORITIES}):
            yield lab


def _app_root(folder: Path) -> Path:
    root = folder / "app"
    (root / "pipelines").mkdir(parents=True)
    (root / "training").symlink_to(ROOT / "training")
    shutil.copy(ROOT / "host.json", root)
    text = yaml.safe_load((ROOT / "pipelines" / f"{PIPELINE}.yaml").read_text(encoding="utf-8"))
    text["deliver"]["targets"].append({"name": "cloud"})
    (root / "pipelines" / f"{PIPELINE}.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    return root
