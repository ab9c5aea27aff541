"""The pipelines of a folder, and the files in it that cannot be read as pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared.errors import Code, PermanentError
from shared.pipelines.checks import Surroundings, outlives_its_function, overlaps, shared_models, unknown_names
from shared.pipelines.files import read_pipeline, shown
from shared.pipelines.model import Pipeline

SUFFIX = ".yaml"


class Pipelines:
    """The pipelines of a folder. An invalid file is kept with its reason, and does not affect the others.

    ``around``: the names that pipelines may use; without it, each file is only checked by itself.
    """

    def __init__(self, folder: Path, *, around: Surroundings | None = None) -> None:
        self._good: dict[str, Pipeline] = {}
        self._broken: dict[str, PermanentError] = {}
        try:
            for path in _files(folder):
                self._add(path, around)
        except OSError as error:
            self._break(f"{folder.name}/", f"{folder.name}/: cannot be listed: {error.strerror}; correct its rights")
        for name, problem in shared_models(self._good.values()).items():
            self._break(name, f"{name}{SUFFIX}: {problem}")
        self._overlaps = overlaps(self.all)

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`PermanentError` for an unknown or a broken one."""
        if name in self._good:
            return self._good[name]
        for file, error in self._broken.items():
            if name in (file, Path(file).stem):
                raise error
        known = ", ".join(sorted(self._good)) or "none"
        reason = f"there is no pipeline {name!r}; known: {known}"
        raise PermanentError(reason, code=Code.UNKNOWN_PIPELINE)

    def has_file(self, name: str) -> bool:
        """Whether there is a pipeline of that name, or a file that would be it if it were not broken."""
        return name in self._good or any(name == file or Path(file).stem == name for file in self._broken)

    @property
    def all(self) -> tuple[Pipeline, ...]:
        """Every valid pipeline, by name."""
        return tuple(self._good[name] for name in sorted(self._good))

    @property
    def broken(self) -> dict[str, str]:
        """File -> what is wrong with it. A file that is named as it should be goes without its ``.yaml``."""
        return {name: error.reason for name, error in sorted(self._broken.items())}

    def overlaps(self, name: str) -> list[str]:
        """What the pipeline shares with others, which may not be intended."""
        return self._overlaps.get(name, [])

    def _add(self, path: Path, around: Surroundings | None) -> None:
        name = shown(path.stem if path.suffix == SUFFIX else path.name)
        if path.suffix != SUFFIX:
            self._break(name, f"{name}: is not read; rename it to {shown(path.stem)}{SUFFIX}")
            return
        try:
            pipeline = read_pipeline(path)
        except PermanentError as error:
            self._broken[name] = error
            return
        wrong = [*unknown_names(pipeline, around), *outlives_its_function(pipeline, around)] if around else []
        if wrong:
            self._break(name, f"{name}{SUFFIX}: {'; '.join(wrong)}")
        else:
            self._good[name] = pipeline

    def _break(self, name: str, reason: str) -> None:
        self._good.pop(name, None)
        self._broken[name] = PermanentError(reason, code=Code.BAD_PIPELINE)


def training_folders(root: Path) -> frozenset[str]:
    """The folders below ``training/`` that have code to train with."""
    return frozenset(path.parent.name for path in (root / "training").glob("*/score.py"))


def _files(folder: Path) -> Iterator[Path]:
    """The files that may be meant as pipelines, by name: also ``.yml`` and the like, reported and not read."""
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.suffix.lower() in {SUFFIX, ".yml"} and not path.name.startswith("."):
            yield path
