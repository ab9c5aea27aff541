"""The workspace's model registry."""

from typing import Any

from shared.clients.azure_ml.errors import translated
from shared.clients.azure_ml.outputs import RunOutputs
from shared.clients.azure_ml.workspace import AzureMlWorkspace
from shared.errors import Code, PermanentError
from shared.messages import Lineage, RegisteredModel
from shared.values.texts import shortened


class AzureMlRegistry:
    """Registers the model of a run, with its lineage; every register call of the service makes a new version."""

    def __init__(self, workspace: AzureMlWorkspace) -> None:
        self._workspace = workspace

    def version_of(self, run_id: str, *, name: str) -> RegisteredModel | None:
        """The version that was registered for a run, the first one if there are several."""
        workspace = self._workspace.open()
        from azureml.core import Model

        with translated(f"list the versions of model {name}"):
            versions = [model.version for model in Model.list(workspace, name=name, run_id=run_id)]
        return RegisteredModel(name=name, version=str(min(versions))) if versions else None

    def register(self, lineage: Lineage, *, name: str, path: str) -> RegisteredModel:
        """Make a version from the files below ``path`` in the run's outputs."""
        run = self._workspace.run(lineage.pipeline, lineage.run_id)
        if not RunOutputs(run).below(path):
            reason = f"run {lineage.run_id} has no files under {path}/ in its outputs; prepare the VM again"
            raise PermanentError(reason, code=Code.MODEL_MISSING)
        with translated(f"register model {name}"):
            model = run.register_model(name, path, tags=_tags(lineage), properties=_properties(lineage))
        return RegisteredModel(name=name, version=str(model.version))


def _tags(lineage: Lineage) -> dict[str, Any]:
    """Tags to filter by."""
    return {"pipeline": lineage.pipeline, "run_id": lineage.run_id, "cause": lineage.cause.value}


def _properties(lineage: Lineage) -> dict[str, Any]:
    """Immutable properties of the version."""
    return {
        "run_id": lineage.run_id,
        "fingerprint": lineage.fingerprint,
        "snapshot": lineage.snapshot_digest,
        "holdout": lineage.holdout,
        "evaluator": lineage.evaluator,
        "blobs": str(lineage.blobs),
        **{f"metric.{name}": f"{value:.6g}" for name, value in sorted(lineage.metrics.items())},
        **{f"parameter.{name}": shortened(value) for name, value in sorted(lineage.parameters.items())},
    }
