"""Programs that the checks use and whose packages clash with ours: each in an environment of its own.

Environments are made from locks with hashes and kept under ``.local/cache/tools``, in folders named after them. Making
one takes seconds and the package index.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".local" / "cache" / "tools"
_LOCKS = Path(__file__).resolve().parent / "locks"
_SECONDS = 300.0


class ToolMissingError(Exception):
    """A program that is not here and could not be installed."""


@dataclass(frozen=True, slots=True)
class Tool:
    """``name``: of the program, and of its lock."""

    name: str

    @property
    def digest(self) -> str:
        """Changes whenever another version would be installed."""
        return hashlib.sha256((_LOCKS / f"{self.name}.txt").read_bytes()).hexdigest()[:16]

    def program(self) -> Path:
        """The path of the program, installed when it is not there yet; raises :class:`ToolMissingError`."""
        home = CACHE / f"{self.name}-{self.digest}"
        found = home / "bin" / self.name
        if not found.exists():
            self._install(home)
        if not found.exists():
            raise ToolMissingError(
                f"{self.name} is not in what its lock installs; see infra/checks/locks/{self.name}.in"
            )
        return found

    def _install(self, home: Path) -> None:
        # Scripts of an environment name its place, so it is made where it stays; without its mark it is made anew.
        mark = home / ".installed"
        if mark.exists():
            return
        print(f"infra: {self.name} into {home.relative_to(ROOT)} (once, some seconds)", file=sys.stderr)
        shutil.rmtree(home, ignore_errors=True)
        uv, python = str(Path(sys.executable).parent / "uv"), str(home / "bin" / "python")
        wanted = ["--quiet", "--require-hashes", "-r", str(self._lock)]
        self._run([sys.executable, "-m", "venv", str(home)])
        try:
            self._run([uv, "pip", "install", "--python", python, *wanted])
        except ToolMissingError:  # uv reads no pip.conf, and everything else here was installed by pip
            self._run([python, "-m", "pip", "install", "--disable-pip-version-check", *wanted])
        mark.touch()

    @property
    def _lock(self) -> Path:
        return _LOCKS / f"{self.name}.txt"

    def _run(self, command: list[str]) -> None:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={**_index(), **os.environ, "VIRTUAL_ENV": ""},
        )
        if ended.returncode:
            said = " ".join(ended.stderr.split())[-300:]
            raise ToolMissingError(f"{self.name} could not be installed: {said}; is the package index reachable?")


def _index() -> dict[str, str]:
    """The index that pip is told of by its variable, for uv, which has a name of its own for it."""
    index = os.environ.get("PIP_INDEX_URL", "")
    return {"UV_DEFAULT_INDEX": index} if index else {}
