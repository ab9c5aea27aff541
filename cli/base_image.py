"""Make the lowest layer of scoring images from Debian packages: Python 3.11 and what wheels need, nothing else.

For machines without a base image such as ``python:3.11-slim`` in reach. Needs ``mmdebstrap`` and a Debian mirror (apt's
settings of the machine count); root, or user namespaces.
"""

import hashlib
import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from cli.layer_cache import CachedLayer, LayerCache, Say
from shared.errors import Code, PermanentError
from shared.oci.images import Layer
from shared.oci.layers import compress_layer

SUITE = "bookworm"
PACKAGES = (
    "python3-minimal",
    "libpython3-stdlib",
    "ca-certificates",
    "media-types",
    "netbase",
    "libstdc++6",  # needed by numpy's wheels
    "libgomp1",  # needed by gradient boosting libraries
    "tzdata",
)
BUILD_TIME = datetime.fromtimestamp(1_700_000_000, UTC)  # any fixed time, so that a later build has the same bytes
_OPTIONS = (
    "--variant=essential",
    f"--include={','.join(PACKAGES)}",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/i18n/*",
    '--customize-hook=rm -rf "$1"/var/cache/* "$1"/var/lib/apt/lists/* "$1"/var/log/* "$1"/usr/share/info',
)
_CLEANUP_SECONDS = 30.0


def base_layer(cache: LayerCache, say: Say) -> CachedLayer:
    """The layer with the operating system, from the cache or made now (half a minute)."""
    recipe = "\n".join((SUITE, str(BUILD_TIME), *_OPTIONS))
    key = f"base-{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    found = cache.get(key)
    if found is not None:
        return found
    say(f"installing Debian {SUITE} with Python into a folder; this takes about half a minute")
    return cache.get_or_make(key, _bootstrap)


def _bootstrap(into: BinaryIO, work: Path) -> Layer:
    log = work / "log"
    mode = () if os.geteuid() == 0 else ("--mode=unshare",)
    command = ["mmdebstrap", "--format=tar", *mode, *_OPTIONS, SUITE, "-"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(int(BUILD_TIME.timestamp()))}
    try:
        with log.open("wb") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env=environment, start_new_session=True
            )
    except FileNotFoundError:
        reason = "mmdebstrap is not installed; install it, or name a base with --base or --base-tar"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        layer = compress_layer(process.stdout, into)
        status = process.wait()
    finally:
        _stop(process)
    if status != 0:
        last = " ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
        raise PermanentError(f"mmdebstrap failed with {status}: {last[-500:]}", code=Code.BAD_CONFIGURATION)
    return layer


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt it as Ctrl-C would, so that it takes away the folder (and mounts) it works in."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        deadline = time.monotonic() + _CLEANUP_SECONDS
        # It may be blocked on a full pipe that nobody reads any more.
        process.stdout.close()
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    process.stdout.close()
