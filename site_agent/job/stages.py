"""The containers of a run: train, answer the sample, evaluate the new model and the champion's.

Who sees what: training sees the data and never the hold-out; an evaluation sees the hold-out and one model, and never
the data; the answer to the sample is made with the model alone. The champion's model is evaluated in its own image,
with the new code.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from site_agent.job import folders
from site_agent.job.commands import EVALUATE_PLACES, TRAIN_PLACES, fill, split_command
from site_agent.job.container_user import give, take
from site_agent.job.containers import ContainerResult, ContainerSpec, Mount, run_container
from site_agent.job.engine import PULL_SECONDS, Engine, resource_name
from site_agent.job.failures import TrainingError
from site_agent.job.fields import parse_json
from site_agent.job.order import Order
from site_agent.job.policy import Policy
from site_agent.job.reasons import CODE_FOLDER, failure_of
from site_agent.job.run_folder import SAMPLE, SCORE, RunFolder
from site_agent.job.step_times import StepTimes

ROOT: Final = "/edgetrain"
DATA, HOLDOUT, MODEL, EVALUATION = f"{ROOT}/data", f"{ROOT}/holdout", f"{ROOT}/model", f"{ROOT}/evaluation"
SCRATCH, TOOLS, ANSWER, LISTING = f"{ROOT}/scratch", f"{ROOT}/tools", f"{ROOT}/answer", f"{ROOT}/files.json"
IMAGE_MODEL: Final = "/var/azureml-app/model"
"""Where the model is in the image of a run."""

LONGEST_ANSWER: Final = 64 * 1024
TOLERANCE: Final = 1e-6
_ANSWER_FILE: Final = "response.json"
_LEAST_OUTPUT: Final = 1024**2
_MLFLOW: Final = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Newer versions refuse to log to a folder unless they are told, and would try to send how they are used."""
_EVALUATION_TRACKING: Final = {"MLFLOW_TRACKING_URI": f"file://{EVALUATION}/mlruns", **_MLFLOW}
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class FetchedInputs(Protocol):
    """What was fetched from the hub, see ``site_agent.job.inputs.Inputs``."""

    @property
    def data(self) -> Path:
        """The folder with the files to train on."""

    @property
    def holdout(self) -> Path:
        """The file to judge by."""

    @property
    def listing(self) -> Path:
        """What is in ``data``."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command in an image. ``what``: how it is called in messages; ``role``: in the names of container and log."""

    role: str
    what: str
    image: str
    command: Sequence[str]
    mounts: Sequence[Mount]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Stages:
    """Runs the containers of one run, one after the other. ``deadline``: on the monotonic clock."""

    order: Order
    policy: Policy
    engine: Engine
    folder: RunFolder
    deadline: float
    say: Callable[[str], None]
    where: Callable[[Path], str]
    results: dict[str, ContainerResult] = field(default_factory=dict)
    times: StepTimes = field(default_factory=StepTimes)
    images: set[str] = field(default_factory=set)

    def check_commands(self) -> None:
        """Raises :class:`TrainingError` for a command that cannot be run, before anything is fetched."""
        self._train_command()
        self._evaluate_command(MODEL, "holdout")

    def train(self, inputs: FetchedInputs) -> None:
        """Train: the model is in the run's folder afterwards. Raises :class:`TrainingError` with a reason."""
        disk = min(self.order.resources.disk, self.policy.limits.disk)
        writable = [
            (self.folder.model, MODEL, self.policy.limits.output),
            (self.folder.scratch, SCRATCH, disk),
        ]
        mounts = [Mount(inputs.data, DATA), Mount(inputs.listing, LISTING)]
        tracking = {"MLFLOW_TRACKING_URI": f"file://{SCRATCH}/mlruns", **_MLFLOW}
        self.run(Program("train", "train.command", self.order.image, self._train_command(), mounts, tracking), writable)

    def evaluate(self, inputs: FetchedInputs) -> None:
        """Evaluate the new model on the hold-out."""
        mounts = [Mount(inputs.holdout.parent, HOLDOUT), Mount(self.folder.model, MODEL)]
        command = self._evaluate_command(MODEL, inputs.holdout.name)
        program = Program("evaluate", "evaluate.command", self.order.image, command, mounts, _EVALUATION_TRACKING)
        self.run(program, [(self.folder.evaluation, EVALUATION, self.policy.limits.output)])

    def evaluate_champion(self, inputs: FetchedInputs, image: str, *, model: Path | None = None) -> None:
        """Evaluate the champion's model, in its own image, with the new code on the same hold-out.

        ``model``: a folder with the model, when the image holds none.
        """
        command = self._evaluate_command(IMAGE_MODEL if model is None else MODEL, inputs.holdout.name)
        mounts = [Mount(inputs.holdout.parent, HOLDOUT), *([] if model is None else [Mount(model, MODEL)])]
        what = "evaluate.command, in the champion's image,"
        program = Program("champion", what, image, command, mounts, _EVALUATION_TRACKING)
        self.run(program, [(self.folder.champion, EVALUATION, self.policy.limits.output)])

    def smoke(self) -> bytes | None:
        """The sample with the model's answer, as JSON; None when the code has no sample."""
        try:
            sample = folders.read_small(self.folder.code / SAMPLE, most=LONGEST_ANSWER)
            request = None if sample is None else parse_json(sample.decode("utf-8"))
        except ValueError:
            raise TrainingError(f"{SAMPLE} is no JSON of at most {LONGEST_ANSWER // 1024} KiB") from None
        if sample is None or not (self.folder.code / SCORE).is_file():
            return None
        mounts = [Mount(self.folder.model, MODEL), Mount(self.folder.tools, TOOLS)]
        command = ["python3", f"{TOOLS}/smoke.py", CODE_FOLDER, f"{ANSWER}/{_ANSWER_FILE}"]
        program = Program("smoke", SCORE, self.order.image, command, mounts, {"AZUREML_MODEL_DIR": MODEL})
        self.run(program, [(self.folder.answer, ANSWER, _LEAST_OUTPUT)])
        return _smoke(request, self._answer())

    def run(
        self, program: Program, writable: Sequence[tuple[Path, str, int]] = (), *, seconds: float | None = None
    ) -> ContainerResult:
        """Run a program of ours or of the pipeline to its end; raises :class:`TrainingError` when it fails.

        ``writable``: folders of the VM that it may fill, where they are for it, and how many bytes. ``seconds``: at
        most, if the run has as many left.
        """
        if program.image not in self.images:
            with self.times.step("image"):
                self._ensure_image(program.image)
        for folder, _, _ in writable:
            give(self.engine, folder, self.policy.container_user)
        spec = self._spec(program, writable, seconds)
        started = time.monotonic()
        try:
            with self.times.step(program.role):
                result = run_container(self.engine, spec)
        finally:
            take(self.engine, [folder for folder, _, _ in writable])
        self.results[program.role] = result
        if not result.succeeded:
            where = self.where(spec.log)
            raise failure_of(program.what, result, spec, policy=self.policy, code=self.folder.code, where=where)
        self.say(f"{program.role}: done in {time.monotonic() - started:.1f} s")
        return result

    def _spec(
        self, program: Program, writable: Sequence[tuple[Path, str, int]], seconds: float | None
    ) -> ContainerSpec:
        resources = self.order.resources
        threads = str(max(1, int(resources.cpus)))
        mounts = [Mount(self.folder.code, CODE_FOLDER), *program.mounts]
        mounts += [Mount(folder, target, most) for folder, target, most in writable]
        return ContainerSpec(
            name=resource_name(self.order.run_id, program.role),
            image=program.image,
            command=program.command,
            mounts=mounts,
            folder=CODE_FOLDER,
            user=self.policy.container_user,
            memory=resources.memory,
            cpus=resources.cpus,
            gpus=resources.gpus,
            pids=self.policy.limits.pids,
            seconds=min(self._seconds_left(), seconds or float("inf")),
            log=self.folder.logs / f"{program.role}.log",
            most_log=self.policy.limits.log,
            environment={**dict.fromkeys(_THREADS, threads), "PYTHONDONTWRITEBYTECODE": "1", **program.environment},
        )

    def _ensure_image(self, image: str) -> None:
        """Pull an image once a run, from a registry that the policy allows."""
        if image not in self.images:
            self.policy.check_image(image)
            self.engine.ensure_image(image, seconds=min(PULL_SECONDS, self._seconds_left()))
            self.images.add(image)

    def _seconds_left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            seconds = self.order.seconds
            raise TrainingError(f"the run did not end within {seconds} s, which it has (train.running_limit_seconds)")
        return left

    def _train_command(self) -> list[str]:
        places = {"inputs.data": DATA, "outputs.model": MODEL}
        return self._command("train.command", self.order.train, TRAIN_PLACES, places)

    def _evaluate_command(self, model: str, holdout: str) -> list[str]:
        places = {"inputs.model": model, "inputs.holdout": f"{HOLDOUT}/{holdout}", "outputs.evaluation": EVALUATION}
        return self._command("evaluate.command", self.order.evaluate, EVALUATE_PLACES, places)

    def _command(self, name: str, command: str, allowed: frozenset[str], places: Mapping[str, str]) -> list[str]:
        parameters = self.order.parameters
        arguments = split_command(command, name=name, places=allowed, parameters=parameters)
        return in_any_image(fill(arguments, places, parameters))

    def _answer(self) -> Any:
        try:
            answer = folders.read_small(self.folder.answer / _ANSWER_FILE, most=LONGEST_ANSWER)
            if answer is None:
                raise ValueError("there is none")
            return parse_json(answer.decode("utf-8"))
        except (ValueError, RecursionError):
            reason = f"{SCORE} must answer {SAMPLE} with JSON of at most {LONGEST_ANSWER // 1024} KiB"
            raise TrainingError(reason) from None


def in_any_image(command: Sequence[str]) -> list[str]:
    """The command with ``python3`` for ``python``: images made from Debian's packages know only the longer name."""
    return ["python3" if command[0] == "python" else command[0], *command[1:]]


def _smoke(request: Any, response: Any) -> bytes:
    return json.dumps({"request": request, "response": response, "tolerance": TOLERANCE}).encode("ascii")
