"""The training code that lies beside the app: ``training/<folder>/`` and what all folders share."""

from pathlib import Path

from shared.errors import Code, PermanentError

COMMON = "common"
_LOCKS = ("requirements.txt", f"../{COMMON}/requirements-job.txt", f"../{COMMON}/requirements-scoring.txt")


class TrainingCode:
    """Reads ``training/`` below the app's root."""

    def __init__(self, app_root: Path) -> None:
        self._training = app_root / "training"

    def files(self, folder: str) -> dict[str, bytes]:
        """Every source file that a training of ``folder`` may run, by name; raises :class:`PermanentError`."""
        self._required(folder)
        return {
            path.relative_to(self._training).as_posix(): path.read_bytes()
            for part in (folder, COMMON)
            for path in sorted((self._training / part).rglob("*"))
            if path.is_file() and _is_source(path)
        }

    def locks(self, folder: str) -> tuple[str, ...]:
        """The texts that pin the libraries of the training and of the image; raises :class:`PermanentError`."""
        self._required(folder)
        paths = [self._training / folder / name for name in _LOCKS]
        return tuple(path.read_text(encoding="utf-8") for path in paths if path.is_file())

    def _required(self, folder: str) -> None:
        for name in ("job.py", "requirements.txt"):
            if not (self._training / folder / name).is_file():
                reason = f"train.folder: training/{folder}/{name} is missing; add it or correct the folder"
                raise PermanentError(reason, code=Code.BAD_PIPELINE)


def _is_source(path: Path) -> bool:
    # Locks count by their lines (see locks); what Python or an editor leaves behind is no code.
    return "__pycache__" not in path.parts and not path.name.startswith((".", "requirements"))
