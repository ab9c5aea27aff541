"""Training jobs made up by a test, and where they are kept in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.errors import Code, PermanentError
from shared.messages import FrozenJob
from shared.training_code.job_trees import LOCK, LOCKS, JobTree

FILES: Mapping[str, bytes] = {"job.py": b"job", "score.py": b"def run(body): ...\n", "train.py": b"pass"}


def a_job_tree(
    folder: str = "breast_cancer", *, files: Mapping[str, bytes] | None = None, pins: str = "numpy==2.0"
) -> JobTree:
    """A small job; ``pins`` is the content of each of its locks."""
    return JobTree(folder, {**FILES, **(files or {})}, dict.fromkeys(LOCKS, pins.encode()))


SEALED_FILES: Mapping[str, bytes] = {
    "evaluate.py": b"pass",
    "sample.json": b"{}",
    "score.py": b"def run(body): ...\n",
    "train.py": b"pass",
}


def a_sealed_tree(
    folder: str = "breast_cancer", *, files: Mapping[str, bytes] | None = None, pins: str = "numpy==2.0"
) -> JobTree:
    """The small code of a sealed training; ``pins`` is the content of its lock."""
    return JobTree(folder, {**SEALED_FILES, **(files or {})}, {LOCK: pins.encode()})


A_FROZEN_JOB = a_job_tree().frozen


@dataclass
class MemoryJobs:
    """Keeps packed trees as :class:`shared.clients.frozen_jobs.FrozenJobs` does."""

    packed: dict[str, bytes] = field(default_factory=dict)

    def keep(self, tree: JobTree) -> FrozenJob:
        job = tree.frozen
        self.packed[job.tree] = tree.pack()
        return job

    def read(self, job: FrozenJob) -> JobTree:
        if job.tree not in self.packed:
            raise PermanentError(f"the code {job.tree} is gone", code=Code.CODE_MISSING)
        return JobTree.unpack(job.folder, self.packed[job.tree])
