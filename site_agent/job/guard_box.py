"""The egress guard's box: a sealed container of the pipeline's image in which the guard's own program looks at a model.

The model and the data are there read-only, together; it writes one small answer, which the guard checks.
"""

import shutil
from pathlib import Path
from typing import Final

from site_agent.job import folders
from site_agent.job.containers import Mount
from site_agent.job.failures import InterruptedJobError, JobError
from site_agent.job.guard.inspection import BoxError, BoxTask
from site_agent.job.run_folder import open_to_all
from site_agent.job.stages import ANSWER, Program, Stages, in_any_image

ROLE: Final = "guard"
_ANSWER_FILE: Final = "answer.json"


class GuardBox:
    """Runs the guard's program as one more stage of the run."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def __call__(self, task: BoxTask) -> bytes:
        """What the program wrote; raises :class:`BoxError` when it could not look, without a word of its own."""
        folder = self._stages.folder
        answer = folder.root / ROLE
        mounts = [Mount(self._readable(source), target) for target, source in task.mounts.items()]
        command = in_any_image(task.arguments)
        program = Program(ROLE, "the guard's look at the model", self._stages.order.image, command, mounts)
        try:
            self._stages.run(program, [(answer, ANSWER, max(task.most_bytes, 1024**2))], seconds=task.seconds)
            found = folders.read_small(answer / _ANSWER_FILE, most=task.most_bytes)
        except InterruptedJobError:
            raise
        except (JobError, ValueError) as error:
            raise BoxError(str(error)) from None
        if found is None:
            raise BoxError("it gave no answer")
        return found

    def _readable(self, source: Path) -> Path:
        """The same, or a copy of what only the job may read, such as its own sources."""
        if source.is_relative_to(self._stages.folder.root):
            return source
        copy = self._stages.folder.root / "guard-sources" / source.name
        if not copy.exists():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "requirements*"))
            open_to_all(copy.parent)
        return copy
