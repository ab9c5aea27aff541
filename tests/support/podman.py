"""Podman with a storage of its own below a folder, and an image with Python: Debian's, as scoring images begin."""

import gzip
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.base_image import base_layer
from cli.layer_cache import LayerCache
from local_stack.stack_hub import engine as stack_engine
from local_stack.stack_hub.containers import mounts_below
from local_stack.stack_hub.image_layers import shared_layers

BASE = "localhost/base:1"
APP_ROOT = Path(__file__).resolve().parents[2]


def missing_podman(*others: str) -> str:
    """Why containers cannot run here, or ``others`` are missing; empty when they can."""
    if missing := [name for name in ("podman", *others) if not shutil.which(name)]:
        return f"needs {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "needs root: the tests look at what containers left"


@dataclass(frozen=True)
class TestPodman:
    """``environment``: what makes podman use the storage of the tests."""

    __test__ = False

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, stdin: bytes = b"") -> str:
        """The output of a podman command that must succeed."""
        ended = subprocess.run(
            ["podman", *arguments], env=self.environment, input=stdin, capture_output=True, check=False, timeout=600
        )
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode()

    def import_base(self) -> None:
        """Make :data:`BASE` from the cached layer."""
        layer = base_layer(LayerCache(APP_ROOT / ".local/cache"), print)
        self("import", "--quiet", "-", BASE, stdin=gzip.decompress(layer.file.read_bytes()))

    def names(self) -> list[str]:
        """All containers, whether they run or not, and what podman was killed over while it made it."""
        return self("ps", "--all", "--external", "--format", "{{.Names}}").split()


def half_make(storage: Path, environment: Mapping[str, str], name: str, image: str) -> None:
    """Have podman be killed while it makes a container: its name and its files are there, and podman's own record not.

    ``storage``: the folder that podman keeps its layers in.
    """
    for _ in range(100):
        making = subprocess.Popen(
            ["podman", "create", "--name", name, "--network", "none", image, "true"],
            env=dict(environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while making.poll() is None and f'"{name}"' not in _stored(storage):
            time.sleep(0.0005)
        making.kill()
        making.wait()
        listing = ["podman", "ps", "--all", "--external", "--format", "{{.Names}} {{.Status}}"]
        shown = subprocess.run(listing, env=dict(environment), capture_output=True, text=True, check=True).stdout
        if f"{name} Storage" in shown:
            return
        subprocess.run(["podman", "rm", "--force", name], env=dict(environment), capture_output=True, check=False)
    raise AssertionError("podman was never killed between its two records")


def _stored(storage: Path) -> str:
    try:
        return (storage / "overlay-containers" / "containers.json").read_text(encoding="utf-8")
    except OSError:
        return ""


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder for podman's runroot: with more than 50 characters ``podman run`` ends 20 s after its container."""
    with TemporaryDirectory(prefix="podman-") as name:
        folder = Path(name)
        try:
            yield folder
        finally:
            for mount in mounts_below(folder):
                subprocess.run(["umount", "--lazy", mount], check=False)


@contextmanager
def running_podman(folder: Path, registry: str = "127.0.0.1:1") -> Iterator[TestPodman]:
    """Podman until the end of the ``with`` block, when containers, images and mounts are gone."""
    configuration = folder / "configuration"
    with short_folder() as runtime:
        stack_engine.configure_podman(
            configuration,
            storage=folder / "storage",
            runtime=runtime,
            registry=registry,
            layers=shared_layers(APP_ROOT / ".local/cache"),
        )
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            **stack_engine.find(configuration).environment,
        }
        podman = TestPodman(folder, environment)
        try:
            yield podman
        finally:
            podman("rm", "--all", "--force", "--time", "0")
            for mount in mounts_below(folder):
                subprocess.run(["umount", "--lazy", mount], check=False)
            shutil.rmtree(folder / "storage", ignore_errors=True)
