"""Finds the code of a run: the frozen tree of its admission, whatever is deployed now."""

from typing import Protocol

from shared.messages import FrozenJob
from shared.pipelines import Pipeline
from shared.training_code.job_trees import JobTree


class PipelineCatalogue(Protocol):
    """Reads pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class DeployedJobs(Protocol):
    """Reads the deployed training code."""

    def read(self, folder: str) -> JobTree:
        """The job of a folder; raises :class:`shared.errors.PermanentError`."""


class KeptJobs(Protocol):
    """Reads stored trees."""

    def read(self, job: FrozenJob) -> JobTree:
        """The stored tree; raises :class:`shared.errors.PermanentError` when it does not exist any more."""


class RunCode:
    """Finds the code of a run."""

    def __init__(self, *, kept: KeptJobs, deployed: DeployedJobs, pipelines: PipelineCatalogue) -> None:
        self._kept = kept
        self._deployed = deployed
        self._pipelines = pipelines

    def of(self, pipeline: str, job: FrozenJob | None) -> JobTree:
        """The tree that ``job`` names. None: a run from before trees were stored, which uses the deployed code."""
        if job is not None:
            return self._kept.read(job)
        return self._deployed.read(self._pipelines.get(pipeline).train.folder)
