"""Register the model of a run, with its lineage."""

from typing import Protocol

from shared.messages import Lineage, RegisteredModel, RegisterModel
from shared.pipelines import Pipeline


class PipelineCatalogue(Protocol):
    """Knows the pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class ModelRegistry(Protocol):
    """Keeps versions of models."""

    def version_of(self, run_id: str, *, name: str) -> RegisteredModel | None:
        """The version that was registered for a run, if there is one."""

    def register(self, lineage: Lineage, *, name: str, path: str) -> RegisteredModel:
        """Make a version from the files below ``path`` in the run's outputs."""


def register_model(command: RegisterModel, *, registry: ModelRegistry, pipelines: PipelineCatalogue) -> RegisteredModel:
    """Register once per run: a repeated command finds the version that the first one made.

    Azure ML has no key that would refuse a second version for a run. Of two commands at once, each of which made one,
    both answer with the first: it is the one that is recorded, and the other stays in the registry unused.
    """
    name = command.name or pipelines.get(command.lineage.pipeline).deliver.model
    known = registry.version_of(command.lineage.run_id, name=name)
    if known is not None:
        return known
    made = registry.register(command.lineage, name=name, path=command.model_path)
    return registry.version_of(command.lineage.run_id, name=name) or made
