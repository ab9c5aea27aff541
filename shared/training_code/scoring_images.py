"""The parts of a job's scoring images: the dependency image below, and the code that serves."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import Code, PermanentError
from shared.oci.references import ImageName
from shared.training_code.environment_key import environment_key
from shared.training_code.job_trees import SCORE, JobTree

APP_ROOT = "/var/azureml-app"  # in the image; the scoring server's convention
MODEL_ROOT = f"{APP_ROOT}/model"
SCORING_PORT = 5001


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringParts:
    """What images are made from, besides the model: the image below it, the code beside it, and the texts of the locks.

    ``labels``: which code it is.
    """

    dependency_image: ImageName
    code: Mapping[str, bytes]
    locks: tuple[str, ...]
    labels: Mapping[str, str]

    @property
    def environment(self) -> str:
        """The key of the environment that the locks describe."""
        return self.dependency_image.reference


def scoring_parts(job: JobTree) -> ScoringParts:
    """The parts of a job's images; raises :class:`PermanentError` when no repository can have the folder's name."""
    locks = job.scoring_locks
    try:
        name = ImageName(f"scoring/{job.folder}", environment_key(*locks))
    except ValueError as error:
        reason = f"train.folder {job.folder!r} cannot name a repository: {error}; rename the folder"
        raise PermanentError(reason, code=Code.BAD_PIPELINE) from None
    script = job.files[SCORE]
    if job.is_old:  # whose other files are of the job on the VM
        labels = {"io.edgetrain.score-script": hashlib.sha256(script).hexdigest()}
        return ScoringParts(dependency_image=name, code={SCORE: script}, locks=locks, labels=labels)
    return ScoringParts(
        dependency_image=name, code=job.files, locks=locks, labels={"io.edgetrain.code": job.frozen.tree}
    )
