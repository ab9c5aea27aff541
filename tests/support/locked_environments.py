"""Virtual environments for programs whose pins are not ours: from a hashed lock, kept in the cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def locked_environment(name: str, requirements: Path, within: Path) -> Path:
    """The environment of this lock, made now when it is missing; one process at a time."""
    within.mkdir(parents=True, exist_ok=True)
    place = within / f"{name}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    with (within / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (place / "complete").exists():
            return place
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(place / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([*pip, "--require-hashes", "-r", str(requirements)], check=True, env=environment)
        (place / "complete").touch()
    return place
