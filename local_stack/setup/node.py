"""The Node programs of the local stack (Azurite) and of the tests, installed as their lock files say."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
FOR_TESTS = FOLDER.parent / "tests" / "support" / "node"


class NodeError(Exception):
    """Node's part cannot be installed; the message says what to do."""


def is_current(folder: Path = FOLDER) -> bool:
    """Whether everything in the lock file is installed in its version."""
    # npm writes this copy of the lock at the very end of an installation.
    try:
        installed = _versions(folder / "node_modules" / ".package-lock.json")
    except (FileNotFoundError, ValueError):
        return False
    wanted = _versions(folder / "package-lock.json")
    return all(installed.get(name) == version for name, version in wanted.items())


def install(folder: Path = FOLDER) -> None:
    """Install what the lock file says, exactly; one process at a time. Raises :class:`NodeError`."""
    if not has_npm():
        raise NodeError("Node.js 20 or newer and npm are needed; install them and try again")
    with (folder / "package-lock.json").open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(folder):  # another process has just done it
            return
        result = subprocess.run(["npm", "ci", "--silent"], cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        last = "\n".join((result.stderr or result.stdout).splitlines()[-15:])
        raise NodeError(f"npm ci failed in {folder}:\n{last}")


def has_npm() -> bool:
    """Whether Node.js and npm are there."""
    return bool(shutil.which("node") and shutil.which("npm"))


def _versions(lock: Path) -> dict[str, str]:
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    # Optional parts are for other systems; the entry without a name is the project itself.
    return {name: each["version"] for name, each in packages.items() if name and not each.get("optional")}
