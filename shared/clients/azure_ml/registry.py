"""The workspace's model registry."""

from typing import Any

from shared.clients.azure_ml.errors import translated
from shared.clients.azure_ml.outputs import RunOutputs
from shared.clients.azure_ml.workspace import AzureMlWorkspace
from shared.decisions.delivery.model_stages import STAGE, ModelStage, ModelVersion, TagChange
from shared.errors import Code, PermanentError
from shared.messages import Lineage, RegisteredModel
from shared.values.texts import shortened


class AzureMlRegistry:
    """Registers the model of a run, with its lineage; every register call of the service makes a new version."""

    def __init__(self, workspace: AzureMlWorkspace) -> None:
        self._workspace = workspace

    def version_of(self, run_id: str, *, name: str) -> RegisteredModel | None:
        """The version that was registered for a run, the first one if there are several."""
        versions = self.versions_of(run_id, name=name)
        return RegisteredModel(name=name, version=str(versions[0].version)) if versions else None

    def versions_of(self, run_id: str, *, name: str) -> list[ModelVersion]:
        """Every version that was registered for a run, the first one first."""
        return self._list(name, run_id=run_id)

    def versions(self, pipeline: str, *, name: str) -> list[ModelVersion]:
        """Every version of a model that a pipeline's runs have registered, the first one first."""
        return self._list(name, tags=[["pipeline", pipeline]])

    def register(self, lineage: Lineage, *, name: str, path: str) -> RegisteredModel:
        """Make a version from the files below ``path`` in the run's outputs."""
        run = self._workspace.run(lineage.pipeline, lineage.run_id)
        if not RunOutputs(run).below(path):
            reason = f"run {lineage.run_id} has no files under {path}/ in its outputs; prepare the VM again"
            raise PermanentError(reason, code=Code.MODEL_MISSING)
        with translated(f"register model {name}"):
            model = run.register_model(name, path, tags=_tags(lineage), properties=_properties(lineage))
        return RegisteredModel(name=name, version=str(model.version))

    def tag(self, change: TagChange) -> None:
        """Give a version these tags. The service replaces all tags at once, so they are read just before."""
        workspace = self._workspace.open()
        from azureml.core import Model

        with translated(f"tag version {change.version} of model {change.name}"):
            model = Model(workspace, name=change.name, version=change.version, expand=False)
            model.update(tags={**(model.tags or {}), **change.tags})

    def _list(self, name: str, **chosen: Any) -> list[ModelVersion]:
        workspace = self._workspace.open()
        from azureml.core import Model

        with translated(f"list the versions of model {name}"):
            # Not expanded: the SDK would ask for the run of each.
            found = Model.list(workspace, name=name, expand=False, **chosen)
            versions = [
                ModelVersion(name=name, version=int(each.version), run_id=each.run_id or "", tags=each.tags or {})
                for each in found
            ]
        return sorted(versions, key=lambda each: each.version)


def _tags(lineage: Lineage) -> dict[str, Any]:
    """Tags to filter by."""
    return {
        "pipeline": lineage.pipeline,
        "run_id": lineage.run_id,
        "cause": lineage.cause.value,
        STAGE: ModelStage.CANDIDATE.value,
    }


def _properties(lineage: Lineage) -> dict[str, Any]:
    """Immutable properties of the version."""
    return {
        "run_id": lineage.run_id,
        "attempt": str(lineage.attempt),
        "fingerprint": lineage.fingerprint,
        "site": lineage.site,
        "snapshot": lineage.snapshot_digest,
        "manifest": lineage.manifest,
        "holdout": lineage.holdout,
        "evaluator": lineage.evaluator,
        "code": lineage.code,
        "champion_before": lineage.champion_before,
        "blobs": str(lineage.blobs),
        **{f"metric.{name}": f"{value:.6g}" for name, value in sorted(lineage.metrics.items())},
        **{f"parameter.{name}": shortened(value) for name, value in sorted(lineage.parameters.items())},
    }
