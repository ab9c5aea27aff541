"""The folder of one run on the VM, below the job's state; it goes when the run ends.

::

    data/ holdout/ files.json   what was fetched from the hub (site_agent.job.inputs)
    code/                       the submitted training code, readable by the containers' user
    model/ scratch/             what training writes: the model, and what stays
    evaluation/ champion/       what evaluations write, of the new model and of the champion's
    answer/                     what score.py answers to its sample
    tools/                      our own programs that run in containers
    logs/                       what containers print
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from site_agent.job import tools
from site_agent.job.failures import TrainingError

MOST_CODE: Final = 256 * 1024**2  # bytes of the submitted code
MOST_CODE_FILES: Final = 20_000
SAMPLE: Final = "sample.json"
SCORE: Final = "score.py"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of a run's folder."""

    root: Path

    @property
    def code(self) -> Path:
        """The submitted code."""
        return self.root / "code"

    @property
    def model(self) -> Path:
        """The model."""
        return self.root / "model"

    @property
    def scratch(self) -> Path:
        """What training keeps beside its model, such as MLflow's files; it never leaves the VM."""
        return self.root / "scratch"

    @property
    def evaluation(self) -> Path:
        """Measurements of the new model."""
        return self.root / "evaluation"

    @property
    def champion(self) -> Path:
        """Measurements of the champion's model."""
        return self.root / "champion"

    @property
    def answer(self) -> Path:
        """The answer to the sample."""
        return self.root / "answer"

    @property
    def tools(self) -> Path:
        """Our own programs."""
        return self.root / "tools"

    @property
    def logs(self) -> Path:
        """What containers print, a file for each."""
        return self.root / "logs"

    def make(self) -> None:
        """Make the folder new, and what only the job writes to."""
        self.root.mkdir(mode=0o700, parents=True)
        self.logs.mkdir(mode=0o700)

    def take_code(self, submitted: Path) -> None:
        """Copy the submitted code; raises :class:`TrainingError` for what is no plain code.

        Links are refused: followed by the job, they would show its own files to the training.
        """
        if not submitted.is_dir() or submitted.is_symlink():
            raise TrainingError("the submission has no folder code/ with the training code; submit the run again")
        total = 0
        for number, path in enumerate(sorted(submitted.rglob("*"))):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise TrainingError(
                    "the training code has a link, or what is neither file nor folder; submit plain files"
                )
            total += path.lstat().st_size
            if total > MOST_CODE or number >= MOST_CODE_FILES:
                limit = f"{MOST_CODE_FILES} files and {MOST_CODE // 1024**2} MiB"
                raise TrainingError(f"the training code has more than {limit}; keep data out of training/")
        shutil.copytree(submitted, self.code, symlinks=True)
        open_to_all(self.code)

    def take_tools(self) -> None:
        """Copy our own programs to where a container may read them."""
        self.tools.mkdir()
        for source in Path(tools.__file__).parent.glob("*.py"):
            shutil.copyfile(source, self.tools / source.name)
        open_to_all(self.tools)


def open_to_all(folder: Path) -> None:
    """Let another user read everything below a folder; the run's own folder lets nobody in but containers."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)
