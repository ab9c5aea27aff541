"""The pipelines of a folder, and the files in it that are none."""

from pathlib import Path

from shared.errors import Code, PermanentError
from shared.pipelines.files import parse_pipeline
from shared.pipelines.model import Pipeline


class Pipelines:
    """The pipelines of a folder. One broken file does not take the others down: it is kept with its error."""

    def __init__(self, folder: Path) -> None:
        self._good: dict[str, Pipeline] = {}
        self._broken: dict[str, PermanentError] = {}
        for path in sorted(folder.glob("*.yaml")):
            try:
                self._add(path)
            except PermanentError as error:
                self._broken[path.stem] = error

    def _add(self, path: Path) -> None:
        pipeline = parse_pipeline(path.read_text(encoding="utf-8"), source=path.name)
        if pipeline.name != path.stem:
            reason = f"{path.name}: name: is {pipeline.name!r}, but must be the file's name {path.stem!r}"
            raise PermanentError(reason, code=Code.BAD_PIPELINE)
        self._good[pipeline.name] = pipeline

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`PermanentError` for an unknown or a broken one."""
        if name in self._good:
            return self._good[name]
        if name in self._broken:
            raise self._broken[name]
        known = ", ".join(sorted(self._good)) or "none"
        reason = f"there is no pipeline {name!r}; known: {known}"
        raise PermanentError(reason, code=Code.UNKNOWN_PIPELINE)

    @property
    def all(self) -> tuple[Pipeline, ...]:
        """Every valid pipeline, by name."""
        return tuple(self._good[name] for name in sorted(self._good))

    @property
    def broken(self) -> dict[str, str]:
        """File stem -> what is wrong with it."""
        return {name: error.reason for name, error in self._broken.items()}
