"""Which dependency image a pipeline's models stand on, and the script that serves them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.decisions.environments import environment_key
from shared.errors import Code, PermanentError
from shared.oci.references import ImageName
from shared.pipelines import Pipeline

APP_ROOT = "/var/azureml-app"  # in the image; the scoring server's convention
MODEL_ROOT = f"{APP_ROOT}/model"
SCORING_PORT = 5001


class PipelineCatalogue(Protocol):
    """Knows the pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`PermanentError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringParts:
    """What a pipeline's images are made from, besides the model: the image below it, and files of the app."""

    dependency_image: ImageName
    score_script: Path
    locks: tuple[Path, ...]

    @property
    def environment(self) -> str:
        """The key of the environment that the locks describe."""
        return self.dependency_image.reference


class ScoringImages:
    """Reads the training folders below the app's root."""

    def __init__(self, app_root: Path, pipelines: PipelineCatalogue) -> None:
        self._training = app_root / "training"
        self._pipelines = pipelines

    def parts(self, pipeline: str) -> ScoringParts:
        """The parts for a pipeline; raises :class:`PermanentError` naming the file that is missing."""
        folder = self._pipelines.get(pipeline).train.folder
        script = self._training / folder / "score.py"
        locks = (self._training / folder / "requirements.txt", self._training / "common" / "requirements-scoring.txt")
        for path in (script, *locks):
            if not path.is_file():
                missing = path.relative_to(self._training.parent).as_posix()
                reason = f"pipeline {pipeline} cannot be served: the app has no {missing}"
                raise PermanentError(reason, code=Code.BAD_PIPELINE)
        key = environment_key(*(path.read_text(encoding="utf-8") for path in locks))
        try:
            name = ImageName(f"scoring/{folder}", key)
        except ValueError as error:
            reason = f"pipeline {pipeline}: train.folder {folder!r} cannot name a repository: {error}"
            raise PermanentError(reason, code=Code.BAD_PIPELINE) from None
        return ScoringParts(dependency_image=name, score_script=script, locks=locks)
