"""The job as one file that a VM fetches at its first boot, for a VM that nobody reaches by SSH before it is ready.

It holds what ``edgetrain prepare-vm`` sends over SSH: sources, hashed lock, and the scripts that install them; wheels
too where the VM has no package index in reach. The same input makes the same bytes.
"""

import io
import json
import tarfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cli.job_installation import INSTALL_SCRIPT, SWITCH_SCRIPT, JobSource, describe_installation
from shared.errors import Code, PermanentError


@dataclass(frozen=True, slots=True)
class Bundle:
    """A written bundle. ``key``: names the version of the job."""

    file: Path
    key: str
    sha256: str


def write_bundle(source: JobSource, file: Path, *, wheels: Path | None = None) -> Bundle:
    """Write the bundle of a version of the job. ``wheels``: a folder with the locked libraries."""
    described = describe_installation(
        source.key, home="@HOME@", path="@PATH@", surroundings={"XDG_RUNTIME_DIR": "@RUNTIME@"}
    )
    contents = {
        "install.sh": INSTALL_SCRIPT.encode(),
        "switch.sh": SWITCH_SCRIPT.encode(),
        "lock.txt": source.lock.encode(),
        "sources.tar": source.tar(),
        "installation.json": (json.dumps(described, indent=2, sort_keys=True) + "\n").encode(),
    }
    if wheels is not None:
        contents |= {f"wheels/{each.name}": each.read_bytes() for each in sorted(wheels.glob("*.whl"))}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    file.write_bytes(packed.getvalue())
    return read_bundle(file)


def read_bundle(file: Path) -> Bundle:
    """A bundle that was written before; raises :class:`PermanentError` when the file is none."""
    content = file.read_bytes()
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            described = archive.extractfile("installation.json")
            key = str(json.load(described)["version"]) if described is not None else ""
    except (tarfile.TarError, ValueError, KeyError):
        reason = f"{file} is no bundle of the job; make one with: python -m infra.hub job --out {file}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None
    return Bundle(file, key, sha256(content).hexdigest())
