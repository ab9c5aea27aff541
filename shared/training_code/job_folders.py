"""Reads the deployed training code from the folders below ``training/``.

It is the content of ``training/<folder>/`` and of ``training/common/``, side by side in one directory. The fingerprint,
the containers on the VM and the image all use the same :class:`~shared.training_code.job_trees.JobTree`.
"""

import re
from pathlib import Path, PurePosixPath

from shared.errors import Code, PermanentError
from shared.training_code.job_trees import LOCK, SAMPLE, SCORE, JobTree

_COMMON = "common"
_MODEL = "model"  # where the model lies in an image, beside the code
_LOCK = re.compile(r"requirements[\w-]*\.(txt|in)")


class JobFolders:
    """The folders below ``training/``."""

    def __init__(self, app_root: Path) -> None:
        self._training = app_root / "training"

    def read(self, folder: str) -> JobTree:
        """The job of a folder; raises :class:`PermanentError` naming what it lacks."""
        own, common = self._training / folder, self._training / _COMMON
        for path in (own / SCORE, own / SAMPLE, own / LOCK):
            if not path.is_file():
                raise self._lacks(path)
        files = {
            path.relative_to(place).as_posix(): path
            for place in (common, own)  # of two files with the same name, the folder's own is used
            for path in place.rglob("*")
            if path.is_file() and _belongs(path.relative_to(place))
        }
        for name in files:
            if PurePosixPath(name).parts[0] == _MODEL:
                reason = f"training/{folder}/ has {name}, where the model goes in its image; rename it"
                raise PermanentError(reason, code=Code.BAD_PIPELINE)
        return JobTree(folder, _contents(files), _contents({LOCK: own / LOCK}))

    def _lacks(self, path: Path) -> PermanentError:
        shown = path.relative_to(self._training.parent).as_posix()
        reason = f"{shown} is missing; add it or correct train.folder, see docs/add-a-pipeline.md"
        return PermanentError(reason, code=Code.BAD_PIPELINE)


def _contents(paths: dict[str, Path]) -> dict[str, bytes]:
    return {name: paths[name].read_bytes() for name in sorted(paths)}


def _belongs(path: Path) -> bool:
    """Code and what it reads; not tests, locks, package markers, nor what Python or an editor left behind."""
    if any(part in {"__pycache__", "tests"} or part.startswith(".") for part in path.parts):
        return False
    if path.parts == ("__init__.py",):  # the job's directory is no package; a package inside it keeps its own
        return False
    return not path.name.startswith("test_") and not _LOCK.fullmatch(path.name)
