"""An image that was put together here, run by a real engine as strictly as a VM runs it, answers with the model."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import requests
from sklearn.linear_model import LogisticRegression

from activities.build_image import build_image
from cli.dependency_image import debian_base, ensure_dependency_image
from cli.layer_cache import LayerCache
from local_stack.stack_hub import containers
from local_stack.stack_hub.engine import configure_podman, find
from shared.clients.ledger.built_images import BuiltImageLedger
from shared.messages import BuildImage, BuiltImage, Lineage
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import scoring_parts
from tests.support.builders import FINGERPRINT, a_run_request
from tests.support.image_registry import OneCode, pinned_images
from tests.support.memory_tables import MemoryTables
from tests.support.registry import RunningRegistry
from tests.support.signing import image_signatures
from tests.support.training_folders import folder_modules
from tests.support.workflow import START

ROOT = Path(__file__).resolve().parents[3]
CACHE = LayerCache(
    ROOT / ".local" / "cache"
)  # kept between test runs: making the base and the libraries takes a minute
ROWS = np.random.default_rng(7).normal(size=(3, 30))


@dataclass(frozen=True)
class SavedModel:
    """A small model as ``train.py`` would have saved it; stands for what a run left behind."""

    model: LogisticRegression

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        (model_files,) = folder_modules("breast_cancer", "model_files")
        model_files.save(self.model, into)


@dataclass(frozen=True)
class Podman:
    """The engine with a storage of its own."""

    environment: dict[str, str]

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ["podman", *arguments], env=self.environment, check=False, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def podman(tmp_path: Path, open_registry: RunningRegistry) -> Iterator[Podman]:
    if shutil.which("podman") is None or os.geteuid() != 0:
        pytest.skip("needs podman and root, for containers with published ports")
    storage, runtime = tmp_path / "storage", tmp_path / "run"
    runtime.mkdir()
    configure_podman(tmp_path / "etc", storage=storage, runtime=runtime, registry=open_registry.host)
    environment = os.environ | dict(find(tmp_path / "etc").environment)
    try:
        yield Podman(environment)
    finally:
        containers.Podman(storage, runtime, environment).halt()  # stops, unmounts
        shutil.rmtree(storage)


@pytest.fixture
def model() -> LogisticRegression:
    random = np.random.default_rng(1)
    return LogisticRegression().fit(random.normal(size=(200, 30)), random.integers(0, 2, 200))


def built(registry: RunningRegistry, model: LogisticRegression) -> BuiltImage:
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs mmdebstrap to make the base image")
    code = OneCode(JobFolders(ROOT).read("breast_cancer"))
    lineage = Lineage(
        run_id=a_run_request().run_id,
        pipeline="breast-cancer",
        fingerprint=FINGERPRINT,
        snapshot_digest="cd" * 32,
        blobs=3,
        metrics={"log_loss": 0.1},
    )
    with registry.client() as client:
        ensure_dependency_image(
            scoring_parts(code.tree),
            signatures=image_signatures(client),
            make_base=partial(debian_base, CACHE, print),
            cache=CACHE,
            say=print,
        )
        command = BuildImage(lineage=lineage, model_path="outputs/model", created_at=START)
        images = pinned_images(client)
        return build_image(
            command,
            artifacts=SavedModel(model),
            code=code,
            registry=client,
            images=images,
            signer=image_signatures(client),
            built=BuiltImageLedger(MemoryTables().table("targets")),
        )


def test_an_appended_image_scores(podman: Podman, open_registry: RunningRegistry, model: LogisticRegression) -> None:
    image = built(open_registry, model)

    podman("pull", "--quiet", image.reference)
    hardened = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges")
    container = podman("run", "--detach", *hardened, "--publish", "127.0.0.1::5001", image.reference)
    url = f"http://{podman('port', container, '5001/tcp')}"
    _wait_until_healthy(url, podman, container)
    reply = requests.post(f"{url}/score", json={"rows": ROWS.tolist()}, timeout=30)

    assert reply.status_code == 200, reply.text
    np.testing.assert_allclose(reply.json()["probabilities"], model.predict_proba(ROWS), rtol=1e-9)
    bad = requests.post(f"{url}/score", json={"rows": [[1, 2]]}, timeout=30)
    assert (bad.status_code, list(bad.json())) == (400, ["error"])
    assert "row 0" in bad.json()["error"]
    label = podman("inspect", "--format", '{{index .Config.Labels "io.edgetrain.run-id"}}', container)
    assert label == a_run_request().run_id
    assert podman("inspect", "--format", "{{.Config.User}}", container) == "10001:10001"


def _wait_until_healthy(url: str, podman: Podman, container: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        state = podman("inspect", "--format", "{{.State.Status}}", container)
        assert state == "running", podman("logs", container)
        time.sleep(0.1)
    raise AssertionError(podman("logs", container))
