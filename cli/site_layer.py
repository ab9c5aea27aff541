"""Make the layer with a pipeline's Python libraries from its lock files, without running anything in a container.

Byte for byte the same on every machine with the same pip, Python 3.11 and zlib: only wheels, compiled here, nothing
that remembers times or paths.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cli.layer_cache import CachedLayer, LayerCache, Say
from shared.errors import Code, PermanentError
from shared.oci.images import Layer
from shared.oci.layers import SMALL, Entry, folder_entries, write_layer
from shared.training_code.scoring_images import APP_ROOT

SITE = "/opt/site"  # in the image, on its PYTHONPATH
_RECIPE = "1"  # count up when the same locks shall make another layer

# Debian 12 has glibc 2.36, which both of these are older than; so another machine makes the same image.
_TARGET = (
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux2014_x86_64",
    "--python-version=3.11",
    "--implementation=cp",
    "--only-binary=:all:",
)


def site_layer(cache: LayerCache, locks: Sequence[str], environment: str, say: Say) -> CachedLayer:
    """The layer for these lock texts, from the cache or made now (half a minute); ``environment`` is their key."""
    key = f"site-{environment}-{_RECIPE}"
    found = cache.get(key)
    if found is not None:
        return found
    return cache.get_or_make(key, partial(_make, locks, say))


def _make(locks: Sequence[str], say: Say, into: BinaryIO, work: Path) -> Layer:
    site = work / "site"
    say("installing the pinned libraries into a folder")
    _install(_written(locks, work), site)
    _prune(site)
    say("compiling them, so that containers start fast")
    _compile(site)
    say("packing them")
    entries = [*folder_entries(site, at=SITE.lstrip("/")), Entry(APP_ROOT.lstrip("/"))]
    return write_layer(entries, into, level=SMALL)


def _written(locks: Sequence[str], work: Path) -> list[Path]:
    paths = [work / f"lock-{number}.txt" for number, _ in enumerate(locks, 1)]
    for path, text in zip(paths, locks, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def _install(locks: Sequence[Path], site: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--root-user-action=ignore", "--no-compile", f"--target={site}", *_TARGET]
    command += ["--no-deps"]  # a lock is complete; what it does not pin must not come in
    for lock in locks:
        command += ["-r", str(lock)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr]
        raise PermanentError(f"pip failed: {' '.join(errors)[-500:]}", code=Code.BAD_CONFIGURATION)


def _prune(site: Path) -> None:
    """Remove scripts, whose first line names this machine's Python, and the libraries' own tests."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for folder in sorted(path for path in site.rglob("tests") if path.is_dir()):
        shutil.rmtree(folder, ignore_errors=True)  # it may have gone with one above it


def _compile(site: Path) -> None:
    """Write the .pyc files; they are never checked against a source's time, which a layer does not keep.

    One process and a fixed hash seed: with parallel workers or random seeds some files come out differently each time.
    The status does not count: libraries ship files for other Pythons, which are merely not compiled.
    """
    command = [sys.executable, "-m", "compileall", "-qq", "--invalidation-mode=unchecked-hash"]
    command += ["-s", str(site), "-p", SITE, str(site)]
    subprocess.run(command, check=False, env=os.environ | {"PYTHONHASHSEED": "0"})
