"""A VM with the job installed, a hub with data and a registry with an image, for whole runs."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from site_agent.job.step_times import STEPS_TAG
from tests.integration.training_driver import hub as hubs
from tests.support.azurite import running_azurite
from tests.support.job_installation import InstalledJob, install_for_tests
from tests.support.podman import BASE, TestPodman, running_podman
from tests.support.scoring_image import ImageRegistry
from tests.support.serving_host import running_registry
from tests.support.tiny_training import CODE, ORDER, policy_for, rows

HOLDOUT = "holdout/rows.csv"

# The job as the command line starts it, but for Azure ML's run: that one writes what it is told into a file.
_RUN = """
import json, pathlib, sys
from site_agent.job.installation import clean_environment, installed, load_installation
from site_agent.job.run import run_job

order, told = sys.argv[1], pathlib.Path(sys.argv[2])


class Run:
    facts = {"tags": {}, "metrics": {}}

    def set_tags(self, tags):
        self.facts["tags"] |= tags
        self.flush()

    def log(self, name, value):
        self.facts["metrics"][name] = value

    def flush(self):
        told.write_text(json.dumps(self.facts))


installation = load_installation(installed())
clean_environment(installation)
sys.exit(run_job(order, installation, Run))
"""


@dataclass(frozen=True)
class Ended:
    """A job that has ended, and what it told Azure ML; ``steps``: those of which it told the times."""

    status: int
    printed: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    steps: Sequence[str] = ()

    @property
    def reason(self) -> str:
        return self.tags.get("edgetrain.failure", "")

    @property
    def kind(self) -> str:
        return self.tags.get("edgetrain.failure_kind", "")


@dataclass
class Vm:
    """A VM with an installed job, a hub with data, a registry with an image; each test has a container of its own."""

    installed: InstalledJob
    podman: TestPodman
    registry: ImageRegistry
    hub: str
    image: str
    folder: Path
    container: str = field(default_factory=lambda: f"tiny-{secrets.token_hex(8)}")
    patience: float = 600
    """Seconds that a run may take."""

    @property
    def work(self) -> Path:
        """Where Azure ML starts the job, and collects its outputs."""
        return self.folder / "work"

    @property
    def outputs(self) -> Path:
        return self.work / "outputs"

    def allow(self, **changes: Any) -> None:
        """Write the policy, with changes."""
        self.installed.write_policy(policy_for(self.registry.address, self.container, **changes))

    def put(self, blobs: Mapping[str, bytes]) -> None:
        hubs.put(self.hub, self.container, dict(blobs))

    def order(self, **changes: Any) -> str:
        """An order on what is on the hub now."""
        snapshot = hubs.take_snapshot(self.hub, "tiny", container=self.container, holdout=HOLDOUT)
        fields = {**ORDER, "container": self.container, "manifest": snapshot.manifest, "image": self.image}
        return json.dumps(fields | changes)

    def submit(self, **files: str) -> None:
        """What Azure ML lays beside the job: the code, with changes; names with _ for the dot."""
        code = self.work / "code"
        code.mkdir(parents=True, exist_ok=True)
        changed = {name.replace("_py", ".py").replace("_json", ".json"): text for name, text in files.items()}
        for name, text in {**CODE, **changed}.items():
            (code / name).write_text(text, encoding="utf-8")

    def start(self, order: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the job, in a session of its own, as Azure ML does. ``environment``: what the cloud adds to it."""
        return subprocess.Popen(
            [self.installed.python, "-I", "-c", _RUN, order, str(self.folder / "told.json")],
            cwd=self.work,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ended(self, process: subprocess.Popen[bytes]) -> Ended:
        printed, _ = process.communicate(timeout=self.patience)
        told_file = self.folder / "told.json"
        told = json.loads(told_file.read_text()) if told_file.exists() else {"tags": {}, "metrics": {}}
        steps = [name for name, _, _ in json.loads(told["tags"].pop(STEPS_TAG, "[]"))]
        return Ended(process.returncode, printed.decode(), told["tags"], told["metrics"], steps)

    def run(self, order: str | None = None, **changes: Any) -> Ended:
        """Do a whole run; nothing of it may be left, however it ends."""
        ended = self.ended(self.start(order or self.order(**changes)))
        self.assert_nothing_is_left()
        return ended

    def assert_nothing_is_left(self) -> None:
        runs = self.installed.installation.runs
        assert self.podman.names() == []
        assert not runs.exists() or list(runs.iterdir()) == []

    @property
    def client(self) -> BlobServiceClient:
        return hubs.client(self.hub)

    def push_champion(self, model: Mapping[str, float]) -> str:
        """Push an image with a model where a run's image has it; returns its name by digest."""
        folder = self.folder / "champion"
        (folder / "model").mkdir(parents=True)
        (folder / "model/model.json").write_text(json.dumps(model))
        (folder / "Containerfile").write_text(f"FROM {BASE}\nCOPY model /var/azureml-app/model\n")
        name = f"{self.registry.address}/models/{self.container}"
        self.podman("build", "--quiet", "--tag", f"{name}:1", str(folder))
        return push(self.podman, self.registry, f"{name}:1", name, folder)

    def receipt(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.outputs / "receipt.json").read_text())
        return found

    def left(self) -> set[str]:
        """Names of all files that Azure ML would collect."""
        return {path.relative_to(self.outputs).as_posix() for path in self.outputs.rglob("*") if path.is_file()}


def push(podman: TestPodman, registry: ImageRegistry, image: str, name: str, folder: Path) -> str:
    """Push an image under a name; returns the name by digest."""
    login = f"{registry.username}:{registry.password}"
    podman("push", "--quiet", "--creds", login, "--digestfile", str(folder / "digest"), image, f"{name}:1")
    return f"{name}@{(folder / 'digest').read_text()}"


@dataclass(frozen=True)
class Site:
    """What VMs of several tests share."""

    installed: InstalledJob
    podman: TestPodman
    registry: ImageRegistry
    hub: str
    image: str

    def vm(self, folder: Path) -> Vm:
        """A VM for one test: a container with data on the hub, a policy that allows it, the code submitted."""
        new = Vm(self.installed, self.podman, self.registry, self.hub, self.image, folder)
        new.put({HOLDOUT: rows(60, seed=1), "landing/a.csv": rows(120, seed=2), "landing/b.csv": rows(120, seed=3)})
        new.allow()
        new.submit()
        return new


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Azurite, a registry and podman below ``folder`` until the ``with`` block ends. The image is not on the VM."""
    with (
        running_azurite(folder / "hub", services=("blob",)) as accounts,
        running_registry(folder / "registry") as registry,
        running_podman(folder / "podman", registry.address) as podman,
    ):
        hub, home = accounts["testaccount"], folder / "home"
        podman.import_base()
        image = push(podman, registry, BASE, f"{registry.address}/scoring/tiny", folder)
        hubs.give_credentials(home, hub)
        installed = install_for_tests(
            home, path=podman.environment["PATH"], engine_environment=podman.environment, registry=registry
        )
        yield Site(installed, podman, registry, hub, image)
