"""Register the model of a run, with its lineage."""

from typing import Protocol

from shared.messages import Lineage, RegisteredModel, RegisterModel
from shared.pipelines import Pipeline


class PipelineCatalogue(Protocol):
    """Reads pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError` for an unknown or broken one."""


class ModelRegistry(Protocol):
    """Registers models in versions."""

    def version_of(self, run_id: str, *, name: str) -> RegisteredModel | None:
        """The version that was registered for a run; None when there is none."""

    def register(self, lineage: Lineage, *, name: str, path: str) -> RegisteredModel:
        """Register the files below ``path`` in the run's outputs as a new version."""


def register_model(command: RegisterModel, *, registry: ModelRegistry, pipelines: PipelineCatalogue) -> RegisteredModel:
    """Register the model once per run: a repeat returns the version that the first command made.

    Azure ML has no key that refuses a second version of a run. When two commands run at once and each makes a version,
    both return the first one; the other stays in the registry, unused.
    """
    name = command.name or pipelines.get(command.lineage.pipeline).deliver.model
    known = registry.version_of(command.lineage.run_id, name=name)
    if known is not None:
        return known
    made = registry.register(command.lineage, name=name, path=command.model_path)
    return registry.version_of(command.lineage.run_id, name=name) or made
