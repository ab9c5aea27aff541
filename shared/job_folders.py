"""What Azure ML, or another driver, sends to the VM: the files of a training job, and which libraries it asks for.

A job is the content of ``training/<folder>/`` and of ``training/common/``, side by side in one directory.
"""

import shutil
from pathlib import Path

from shared.decisions.environments import environment_key
from shared.errors import Code, PermanentError

ENTRY = "job.py"
_COMMON = "common"


class JobFolders:
    """Reads the folders below ``training/`` of the app."""

    def __init__(self, app_root: Path) -> None:
        self._training = app_root / "training"

    def files(self, folder: str) -> dict[str, Path]:
        """Path in the job -> file, sorted by path; raises :class:`PermanentError` for a folder that is no job."""
        own = self._training / folder
        found = {
            path.relative_to(place).as_posix(): path
            for place in (self._training / _COMMON, own)
            for path in place.rglob("*")
            if path.is_file() and _belongs(path.relative_to(place))
        }
        if found.get(ENTRY) != own / ENTRY:
            raise PermanentError(
                f"training/{folder}/ has no {ENTRY}; see docs/add-a-pipeline.md", code=Code.BAD_PIPELINE
            )
        return dict(sorted(found.items()))

    def stage(self, folder: str, into: Path) -> None:
        """Copy the job's files; the same code gives the same tree, which Azure ML then does not upload again."""
        for name, path in self.files(folder).items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, into / name)

    def locks(self, folder: str) -> tuple[Path, ...]:
        """The lock files to install on the VM; raises :class:`PermanentError` naming one that is missing."""
        paths = (self._training / folder / "requirements.txt", self._training / _COMMON / "requirements-job.txt")
        for path in paths:
            if not path.is_file():
                shown = path.relative_to(self._training.parent).as_posix()
                raise PermanentError(f"{shown} is missing; see docs/add-a-pipeline.md", code=Code.BAD_PIPELINE)
        return paths

    def environment(self, folder: str) -> str:
        """The key of the Python environment on the VM that the folder's job runs in."""
        return environment_key(*(path.read_text(encoding="utf-8") for path in self.locks(folder)))


def _belongs(path: Path) -> bool:
    """Code and what it reads; not tests, locks, package markers, nor what Python or an editor left behind."""
    if any(part in {"__pycache__", "tests"} or part.startswith(".") for part in path.parts):
        return False
    return path.name != "__init__.py" and not path.name.startswith(("test_", "requirements"))
