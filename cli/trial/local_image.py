"""The dependency image of a pipeline in this machine's own podman, in place of a registry; made once per lock.

It gets there as an OCI image layout in a tar file, which keeps the manifest, and so the digest that names it.
"""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from cli.layer_cache import Say
from shared.errors import Code, PermanentError
from shared.oci.images import Image
from shared.oci.media_types import OCI_INDEX, OCI_MANIFEST
from shared.training_code.scoring_images import ScoringParts

HOST = "localhost"
"""In place of a registry's host, as podman names images of its own: no registry, so that nothing is pulled from it."""

Assemble = Callable[[ScoringParts], tuple[Image, Mapping[str, Path]]]
"""Builds the image of a pipeline's lock; returns it, and its layers' files by digest."""

_SECONDS = 900.0


def ensure_local_image(
    program: str, environment: Mapping[str, str], parts: ScoringParts, assemble: Assemble, say: Say
) -> str:
    """Have the image in podman; returns its name there, by digest.

    ``program`` and ``environment``: how podman is called. Raises :class:`PermanentError` when it cannot be loaded.
    """
    name = f"{HOST}/{parts.dependency_image}"
    image, files = assemble(parts)
    by_digest = f"{HOST}/{parts.dependency_image.repository}@{image.digest}"
    there = subprocess.run(
        [program, "image", "exists", by_digest], check=False, capture_output=True, env=dict(environment), timeout=60
    )
    if there.returncode != 0:
        say(f"loading the image with the libraries into podman, as {name} ({image.size / 1e6:.0f} MB)")
        _load(program, environment, image, files, name)
    return by_digest


def write_archive(image: Image, files: Mapping[str, Path], name: str, into: IO[bytes]) -> None:
    """Write the image as ``oci-archive``: source, "OCI Image Layout Specification"."""
    manifest = {
        "mediaType": OCI_MANIFEST,
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [manifest]}
    with tarfile.open(fileobj=into, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(archive, "index.json", json.dumps(index).encode())
        _add(archive, _blob(image.digest), image.manifest)
        _add(archive, _blob(image.config_descriptor.digest), image.config_blob)
        for layer in image.layers:
            entry = tarfile.TarInfo(_blob(layer.digest))
            entry.size = layer.size
            with files[layer.digest].open("rb") as content:
                archive.addfile(entry, content)


def _load(program: str, environment: Mapping[str, str], image: Image, files: Mapping[str, Path], name: str) -> None:
    with subprocess.Popen(
        [program, "load", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
    ) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            write_archive(image, files, name, process.stdin)
        except BrokenPipeError:
            pass  # it says below why it does not read on
        except BaseException:
            process.kill()
            raise
        said, _ = process.communicate(timeout=_SECONDS)
    if process.returncode != 0:
        last = " ".join(said.decode("utf-8", "replace").splitlines()[-3:])
        reason = f"podman cannot load the image with the libraries: {last[-500:]}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.partition(':')[2]}"
