"""Dependency images are unpacked once on a machine; VMs read their layers there, and know only what they pulled."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local_stack.stack_hub.containers import mounts_below
from local_stack.stack_hub.engine import configure_podman, find
from local_stack.stack_hub.image_layers import keep_layers, shared_layers
from shared.training_code.job_folders import JobFolders
from shared.training_code.scoring_images import scoring_parts
from tests.integration.leaks.lab import dependency_image
from tests.support.podman import missing_podman
from tests.support.registry import running_registry
from tests.support.stack import CACHE, ROOT

pytestmark = pytest.mark.skipif(bool(missing_podman("docker-registry")), reason=missing_podman("docker-registry"))
LIBRARIES = "breast_cancer"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with the files of the layers, and nothing unpacked."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/layers").symlink_to(CACHE / "layers")
    return tmp_path / "cache"


def test_a_vm_pulls_nothing_that_is_unpacked_already_and_knows_no_image_that_it_did_not_pull(
    tmp_path: Path, cache: Path
) -> None:
    assert shared_layers(cache) is None
    parts = scoring_parts(JobFolders(ROOT).read(LIBRARIES))
    keep_layers(cache, parts)
    keep_layers(cache, parts)
    layers = shared_layers(cache)
    assert layers is not None
    before = files_in(layers)
    storage, runtime = tmp_path / "storage", Path("/run") / f"edgetrain-layers-{os.getpid()}"

    with running_registry(tmp_path / "registry") as registry:
        configure_podman(tmp_path / "etc", storage=storage, runtime=runtime, registry=registry.host, layers=layers)
        environment = {**os.environ, **find(tmp_path / "etc").environment}

        def podman(*arguments: str) -> str:
            done = subprocess.run(["podman", *arguments], env=environment, check=True, capture_output=True, text=True)
            return done.stdout.strip()

        try:
            image = dependency_image(registry)
            assert podman("images", "--all", "--quiet") == ""
            podman("pull", "--quiet", image)
            assert sum(files_in(storage).values()) < 1_000_000, "nothing was unpacked"
            program = ["python3", "-c", "import sklearn; print(sklearn.__file__)"]
            assert podman("run", "--rm", "--network", "none", "--entrypoint", "", image, *program).startswith(
                "/opt/site/"
            )
            podman("rmi", image)
        finally:
            for mount in mounts_below(storage, runtime):
                subprocess.run(["umount", "--lazy", mount], check=False)
            shutil.rmtree(runtime, ignore_errors=True)

    assert {name: size for name, size in files_in(layers).items() if name in before} == before


def files_in(folder: Path) -> dict[str, int]:
    """Name -> bytes of the files below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}
