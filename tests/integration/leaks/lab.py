"""A site and a cloud for attacks: real hub, registry, podman and sshd, the job as it is installed, and Azure ML's SDK.

An attack is a run of training code that means harm. What it may read has canaries in every cell. Whatever becomes of
it, the canaries are looked for in everything that lies outside of the site.
"""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cli.dependency_image import debian_base, ensure_dependency_image
from cli.layer_cache import LayerCache
from local_stack.leak_search import Canaries, Search
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import scoring_parts
from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.conftest import Lab, running_lab
from tests.integration.leaks.attacks import ATTACKS, Attack
from tests.integration.leaks.listeners import Listeners, listening, told
from tests.integration.leaks.submissions import HOLDOUT, order_fields, variables_of, write_submission
from tests.integration.training_driver import hub as hubs
from tests.support.azurite import running_azurite
from tests.support.canaries import files_below
from tests.support.job_installation import InstalledJob, install_for_tests
from tests.support.job_orders import order_text
from tests.support.podman import TestPodman, running_podman
from tests.support.registry import RunningRegistry, running_registry
from tests.support.signing import image_signatures
from tests.support.sshd import SshServer, running_sshd

ROOT: Final = Path(__file__).resolve().parents[3]
LIBRARIES: Final = "breast_cancer"
"""The folder whose dependency image all attacks run in."""
SITE_ONLY: Final = ("identity.json", "endpoints.json", "compute-*.key")
"""The stand-in's own secrets, which hold no data."""
USER: Final = 20_000 + secrets.randbelow(30_000)
"""Of the containers of these tests and of no others on this machine."""
POLICY: Final = """\
registries: ["{registry}"]
pipelines:
{pipelines}
limits: {{memory: 2g, cpus: 2, pids: 128, seconds: 900, disk: 200m, output: 30m, log: 2m, model: 20m, cache: 1g}}
leaves: {{metrics: 8, reasons: ours, slices: [], least_rows: 20}}
keep_runs: 200
container_user: {user}
"""


@dataclass
class Outcome:
    """What became of a run. ``facts``: as the SDK shows it; ``logs``: what its containers printed, kept on the VM."""

    facts: dict[str, Any]
    logs: dict[str, str]
    finds: list[str]
    heard: list[str]
    receipt: dict[str, Any] = field(default_factory=dict)
    shadows: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    hub_before: dict[str, str] = field(default_factory=dict)
    hub_after: dict[str, str] = field(default_factory=dict)

    @property
    def completed(self) -> bool:
        return bool(self.facts["status"] == "Completed")

    @property
    def reason(self) -> str:
        """What the job said of a failure."""
        return str(self.facts["tags"].get("edgetrain.failure", ""))


@dataclass
class LeakLab:
    """Everything that runs."""

    folder: Path
    lab: Lab
    vm: SshServer
    job: InstalledJob
    hub: str
    podman: TestPodman
    registry: RunningRegistry
    image: str
    image_files: frozenset[Path]
    listeners: Listeners

    def run(self, attack: Attack) -> Outcome:
        """Carry an attack out, and look for what it got out."""
        training, holdout = Canaries.new(), Canaries.new()
        began = time.time() - 2  # clocks of file systems are coarse
        container = self.land(training, holdout)
        before, hub_before = len(self.listeners.heard), self._hub(container)
        run_id = self.submit(attack, container)
        facts = self.end(run_id)
        files = self.lab.sdk(calls.download, run_id, "outputs/")
        return Outcome(
            facts=facts,
            logs=self.logs(run_id),
            finds=self.search(training, holdout, since=began).found,
            heard=told(self.listeners.heard[before:], training),
            receipt=json.loads(files.get("receipt.json", b"{}")),
            shadows=self._shadows(run_id),
            files=files,
            hub_before=hub_before,
            hub_after=self._hub(container),
        )

    def land(self, training: Canaries, holdout: Canaries) -> str:
        """Put data into a new container of the hub; its name."""
        container = f"leak-{secrets.token_hex(4)}"
        hubs.put(self.hub, container, {"landing/part-1.csv": training.csv(), HOLDOUT: holdout.csv()})
        return container

    def submit(self, attack: Attack, container: str) -> str:
        """Submit a run on what is in the container, which the site's policy allows; its id."""
        run_id = f"{attack.pipeline}-{secrets.token_hex(6)}-1"
        self.allow(attack, container)
        snapshot = hubs.take_snapshot(self.hub, attack.pipeline, container=container, holdout=HOLDOUT)
        folder, home = self.folder / "submitted" / run_id, self.vm.home
        write_submission(attack, folder, home=home, places=self.listeners.places)
        order = order_fields(attack, run_id, container=container, manifest=snapshot.manifest, image=self.image)
        variables, python = variables_of(attack, folder, home=home), str(self.job.python)
        self.lab.sdk(
            calls.submit,
            run_id,
            folder,
            "--order",
            order_text(**order),
            python=python,
            seconds=attack.seconds + 180,
            variables=variables,
        )
        return run_id

    def search(self, *canaries: Canaries, since: float = 0) -> Search:
        """Search everything outside of the site that was written since a moment."""
        return Search(*canaries).files(path for path in self.cloud_side() if _written_since(path, since))

    def cloud_side(self) -> list[Path]:
        """All files outside of the site, but those of the dependency image, which was there before any attack."""
        azure_ml = files_below(self.lab.azure_ml.folder, without=SITE_ONLY)
        return azure_ml + [path for path in files_below(self.registry.data) if path not in self.image_files]

    def allow(self, attack: Attack, container: str) -> None:
        """Add the pipeline to the site's policy, as its owner would."""
        with _POLICY_LOCK:
            text = "".join([*_allowed(self.folder), attack.rule(container)])
            (self.folder / "rules").write_text(text, encoding="utf-8")
            policy = POLICY.format(registry=self.registry.host, pipelines=text, user=USER)
            partial = self.job.policy.with_name("policy.new")
            partial.write_text(policy, encoding="utf-8")
            partial.chmod(0o600)
            partial.replace(self.job.policy)

    def left(self) -> list[str]:
        """What runs left on the VM: containers, folders of runs, processes of the containers' user."""
        runs = self.vm.home / "edgetrain/state/runs"
        folders = sorted(path.name for path in runs.iterdir()) if runs.is_dir() else []
        return [*self.podman.names(), *folders, *_processes_of(USER)]

    def end(self, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run: what the SDK shows of it."""
        deadline = time.monotonic() + 1200
        while self.lab.sdk(calls.status, run_id) not in {"Completed", "Failed", "Canceled"}:
            assert time.monotonic() < deadline, f"{run_id} did not end"
            time.sleep(2)
        found: dict[str, Any] = self.lab.sdk(calls.facts, run_id)
        return found

    def logs(self, run_id: str) -> dict[str, str]:
        """What its containers printed, by their role; it stays on the VM."""
        logs = self.vm.home / "edgetrain/state/kept" / run_id / "logs"
        return {path.stem: path.read_text(errors="replace") for path in sorted(logs.glob("*.log"))}

    def _shadows(self, run_id: str) -> list[str]:
        """Files of the run's submission that were executed on the VM, by their own account."""
        file = self.vm.home / "shadowed"
        return [line for line in file.read_text().splitlines() if run_id in line] if file.exists() else []

    def receipt(self, run_id: str) -> dict[str, Any]:
        """What a run's receipt says."""
        found: dict[str, Any] = json.loads(self.lab.sdk(calls.download, run_id, "outputs/")["receipt.json"])
        return found

    def _hub(self, container: str) -> dict[str, str]:
        service = hubs.client(self.hub)
        listed = service.get_container_client(container).list_blobs()
        return {blob.name: str(blob.etag) for blob in listed}


_POLICY_LOCK: Final = threading.Lock()


def _allowed(folder: Path) -> list[str]:
    rules = folder / "rules"
    return [rules.read_text(encoding="utf-8")] if rules.exists() else []


def _processes_of(user: int) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == user:
                found.append(f"process {entry.name}")
    return found


@contextmanager
def running_leak_lab(folder: Path) -> Iterator[LeakLab]:
    """All servers, and the job installed, until the end of the ``with`` block."""
    with ExitStack() as stack:
        registry = stack.enter_context(running_registry(folder / "registry"))
        podman = stack.enter_context(running_podman(folder / "podman", registry.host))
        hub = stack.enter_context(running_azurite(folder / "hub", services=("blob",)))["testaccount"]
        vm = stack.enter_context(running_sshd(folder / "vm"))
        hubs.give_credentials(vm.home, hub)
        home = folder / "azure-ml"
        home.mkdir()
        lab = stack.enter_context(running_lab(home, vm))
        job = install_for_tests(
            vm.home, path=podman.environment["PATH"], engine_environment=_without_home(podman.environment)
        )
        listeners = stack.enter_context(listening())
        image = dependency_image(registry)
        files = frozenset(files_below(registry.data))
        yield LeakLab(folder, lab, vm, job, hub, podman, registry, image, files, listeners)


def _written_since(path: Path, since: float) -> bool:
    try:  # what a database was told last is in a file beside it
        return path.suffix == ".sqlite" or path.stat().st_mtime >= since
    except FileNotFoundError:  # another run's, on its way
        return False


def _without_home(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in {"PATH", "HOME"}}


def dependency_image(registry: RunningRegistry) -> str:
    cache = LayerCache(ROOT / ".local/cache")
    parts = scoring_parts(JobFolders(ROOT).read(LIBRARIES))
    quiet: Callable[[str], None] = lambda _: None  # noqa: E731
    with registry.client() as client:
        digest = ensure_dependency_image(
            parts,
            signatures=image_signatures(client),
            make_base=lambda: debian_base(cache, quiet),
            cache=cache,
            say=quiet,
        )
    return f"{registry.host}/{parts.dependency_image.repository}@{digest}"


def selected(names: list[str]) -> list[Attack]:
    """The attacks with these names."""
    return [attack for attack in ATTACKS if attack.name in names]
