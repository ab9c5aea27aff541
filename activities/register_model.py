"""Register the model of a run, with its lineage."""

import logging
from collections.abc import Sequence
from typing import Protocol

from shared.decisions.delivery.model_stages import ModelVersion, TagChange, doubles
from shared.errors import TransientError
from shared.messages import Lineage, RegisteredModel, RegisterModel
from shared.pipelines import Pipeline

log = logging.getLogger(__name__)


class PipelineCatalogue(Protocol):
    """Reads pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError` for an unknown or broken one."""


class ModelRegistry(Protocol):
    """Registers models in versions."""

    def versions_of(self, run_id: str, *, name: str) -> Sequence[ModelVersion]:
        """Every version that was registered for a run, the first one first."""

    def register(self, lineage: Lineage, *, name: str, path: str) -> RegisteredModel:
        """Register the files below ``path`` in the run's outputs as a new version."""

    def tag(self, change: TagChange) -> None:
        """Give a version these tags."""


def register_model(command: RegisterModel, *, registry: ModelRegistry, pipelines: PipelineCatalogue) -> RegisteredModel:
    """Register the model once per run: a repeat returns the version that the first command made.

    Azure ML has no key that refuses a second version of a run. When two commands run at once and each makes a version,
    both return the lowest one, and the other is marked as its duplicate.
    """
    name, run_id = command.name or pipelines.get(command.lineage.pipeline).deliver.model, command.lineage.run_id
    known = registry.versions_of(run_id, name=name)
    if not known:
        made = registry.register(command.lineage, name=name, path=command.model_path)
        known = registry.versions_of(run_id, name=name)
        if not known:
            return made
    try:
        for double in doubles(known):
            registry.tag(double)
    except TransientError as error:
        log.warning("run %s has several versions of model %s; the reconciler marks them: %s", run_id, name, error)
    return RegisteredModel(name=name, version=str(min(each.version for each in known)))
