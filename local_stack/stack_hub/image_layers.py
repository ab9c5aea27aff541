"""Layers of dependency images, unpacked once on this machine: VMs of stacks read them there instead of pulling them.

Podman looks for layers in further storages besides its own (``additionalimagestores``, see containers-storage.conf(5)).
This one holds layers and no image, so that a VM knows only the images that it pulled itself; of those, what is here
already takes neither time nor disk. It belongs to root's podman: without root, files in layers belong to others.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cli.dependency_image import assembled, debian_base
from cli.layer_cache import LayerCache
from cli.trial.local_image import ensure_local_image
from local_stack.files import private_folder, write_private
from local_stack.stack_hub.containers import mounts_below
from local_stack.stack_hub.engine import configure_podman, find
from shared.oci.images import Image
from shared.training_code.scoring_images import ScoringParts

_FOLDER: Final = "image-layers"
_NO_IMAGES: Final = "[]"


def shared_layers(cache: Path) -> Path | None:
    """The storage in this cache, for :func:`local_stack.stack_hub.engine.configure_podman`; None when there is none."""
    storage = _folder(cache) / "storage"
    return storage if (storage / "overlay-images/images.json").is_file() else None


def keep_layers(cache: Path, parts: ScoringParts) -> None:
    """Unpack the layers of a dependency image, of files that are in the cache, unless they are there."""
    if os.geteuid() != 0 or not shutil.which("podman"):
        return
    folder = private_folder(_folder(cache))
    kept = folder / f"{parts.dependency_image.repository}-{parts.environment}".replace("/", "-")
    with _alone(folder):
        if kept.exists():
            return
        layers = LayerCache(cache)
        try:
            with _podman(folder / "storage") as environment:
                ensure_local_image("podman", environment, parts, lambda each: _assembled(each, layers), _quiet)
        finally:
            _forget_images(folder / "storage/overlay-images")
        kept.touch()


def _folder(cache: Path) -> Path:
    return cache.resolve() / _FOLDER


def _assembled(parts: ScoringParts, layers: LayerCache) -> tuple[Image, Mapping[str, Path]]:
    return assembled(parts, debian_base(layers, _quiet), layers, _quiet)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One stack at a time writes here; the kernel lets go of the lock when its process dies."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _podman(storage: Path) -> Iterator[Mapping[str, str]]:
    """The environment that makes podman write to the storage; nothing is mounted at the end of the ``with`` block."""
    with tempfile.TemporaryDirectory(prefix="edgetrain-layers-") as name:
        temporary = Path(name)
        try:
            configure_podman(temporary / "etc", storage=storage, runtime=temporary / "run", registry="127.0.0.1:1")
            yield {**os.environ, **find(temporary / "etc").environment}
        finally:
            for mount in mounts_below(temporary, storage):
                subprocess.run(["umount", "--lazy", mount], check=False)


def _forget_images(folder: Path) -> None:
    if folder.is_dir():
        write_private(folder / "images.json", _NO_IMAGES)
        for image in (path for path in folder.iterdir() if path.is_dir()):
            shutil.rmtree(image, ignore_errors=True)


def _quiet(_: str) -> None:
    """Preparation has told what it builds already."""
