"""Runs a pipeline's whole job on this machine, with the parts that run it on a VM.

Local files take the place of the hub, and podman's own storage that of the registry; nothing else differs. The model of
the last trial of a pipeline is kept, so that the next one can be compared with it.
"""

import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from cli.trial.local_inputs import LocalInputs
from cli.trial.script_output import ScriptOutput
from shared.training_code.job_trees import JobTree
from site_agent.job import folders
from site_agent.job.engine import Engine
from site_agent.job.failures import JobError
from site_agent.job.guard.metrics import read_metrics
from site_agent.job.guard.receipt import Receipt, Traffic
from site_agent.job.guard.release import EgressRefusedError, Facts, Produced, release
from site_agent.job.guard.samples import Reference
from site_agent.job.guard_box import GuardBox
from site_agent.job.losses import read_losses
from site_agent.job.order import Order
from site_agent.job.policy import Policy
from site_agent.job.run_folder import RunFolder
from site_agent.job.stages import Stages
from site_agent.job.statistics import compare
from site_agent.job.sweep import clean, locked_run, sweep

_LAST = "last"
_IMAGE = "image.txt"
_MODEL = "model"
_SEED = 1

GetInputs = Callable[[RunFolder], LocalInputs]
"""Lays the data of a trial out in the folder of its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The last trial's model on the same rows. ``trouble``: why it could not be measured, else empty."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    comparison: Mapping[str, Any] | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a trial. ``refused``: why the egress guard would let nothing out, else empty."""

    metrics: Mapping[str, float]
    receipt: Receipt
    refused: str = ""
    compared: Compared | None = None
    model: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial. ``state``: its folder on this machine; ``podman``: its path; ``environment``: what podman gets."""

    order: Order
    policy: Policy
    tree: JobTree
    state: Path
    podman: str
    environment: Mapping[str, str]
    say: Callable[[str], None]
    show: Callable[[str], None]

    def run(self, get_inputs: GetInputs, *, against_last: bool) -> Outcome:
        """Do the whole job; raises an error of the job, or of this command, for what fails before the guard.

        Nothing of it is left afterwards, however it ends, but the model for the next comparison.
        """
        self.policy.check(self.order)
        runs = self.state / "runs"
        sweep(runs, self._engine)  # what a trial left that was killed
        engine = self._engine(self.order.run_id)
        with _ended_in_good_order(), locked_run(runs, self.order.run_id):
            folder = RunFolder(runs / self.order.run_id)
            try:
                folder.make()
                with ScriptOutput(folder.logs, self.show):
                    return self._job(folder, engine, get_inputs, against_last=against_last)
            finally:
                clean(runs, self.order.run_id, engine)

    def _job(self, folder: RunFolder, engine: Engine, get_inputs: GetInputs, *, against_last: bool) -> Outcome:
        started_at, deadline = datetime.now(UTC), time.monotonic() + self.order.seconds
        stages = Stages(
            order=self.order,
            policy=self.policy,
            engine=engine,
            folder=folder,
            deadline=deadline,
            say=self.say,
            where=lambda _: "the lines above",
        )
        stages.check_commands()
        self._take_code(folder)
        inputs = get_inputs(folder)
        stages.train(inputs)
        smoke = stages.smoke()
        stages.evaluate(inputs)
        own = read_metrics(
            folder.evaluation, folder.scratch, judged=self.order.judged_metric, most=self.policy.leaves.metrics
        )
        compared = self._compared(stages, inputs) if against_last else None
        produced = Produced(model=folder.model, evaluation=folder.evaluation, training=folder.scratch, smoke=smoke)
        receipt, refused = self._released(stages, produced, inputs, started_at)
        return Outcome(
            metrics=own.numbers,
            receipt=receipt,
            refused=refused,
            compared=compared,
            model=self._keep(folder.model),
        )

    def _take_code(self, folder: RunFolder) -> None:
        staged = folder.root / "staged"
        self.tree.stage(staged)
        folder.take_code(staged)
        folder.take_tools()

    def _released(
        self, stages: Stages, produced: Produced, inputs: LocalInputs, started_at: datetime
    ) -> tuple[Receipt, str]:
        """The receipt, and why nothing would leave; what would is not kept."""
        traffic = [
            Traffic(container=role, received=each.network.received, sent=each.network.sent)
            for role, each in stages.results.items()
        ]
        into = stages.folder.root / "outputs"
        into.mkdir()
        try:
            receipt = release(
                produced,
                self.policy,
                self.order,
                reference=Reference(folder=inputs.data, declared=self.order.data.declared),
                held_out=Reference(folder=inputs.holdout.parent, declared=self.order.data.declared),
                box=GuardBox(stages),
                into=into,
                facts=Facts(started_at=started_at, network=traffic),
                key=ec.generate_private_key(ec.SECP256R1()),  # a site has its own; nobody reads this signature
            )
        except EgressRefusedError as refusal:
            return refusal.receipt, str(refusal)
        return receipt, ""

    def _compared(self, stages: Stages, inputs: LocalInputs) -> Compared:
        """Measure the last trial's model with the code of this one, as a champion is."""
        last, folder = self.state / _LAST, stages.folder
        try:
            image = (last / _IMAGE).read_text(encoding="utf-8")
        except OSError:
            return Compared(trouble="there is no earlier trial of this pipeline")
        try:
            stages.evaluate_champion(inputs, image, model=last / _MODEL)
            numbers = read_metrics(
                folder.champion, None, judged=self.order.judged_metric, most=self.policy.leaves.metrics
            ).numbers
            own, theirs = read_losses(folder.evaluation), read_losses(folder.champion)
            result = None
            if own is not None and theirs is not None:
                result = compare(own.values, theirs.values, own.slices, seed=_SEED)
            return Compared(metrics=numbers, comparison=result)
        except (JobError, ValueError) as error:
            return Compared(trouble=f"its model could not be measured again: {error}")

    def _keep(self, model: Path) -> Path:
        """Keep the model for the next comparison, in place of the last one."""
        last = self.state / _LAST
        made = self.state / "last.new"
        folders.remove(made)
        made.mkdir()
        shutil.copytree(model, made / _MODEL, symlinks=True)
        (made / _IMAGE).write_text(self.order.image, encoding="utf-8")
        folders.remove(last)
        made.rename(last)
        return last / _MODEL

    def _engine(self, run_id: str) -> Engine:
        return Engine(self.podman, self.environment, state=f"trial-{self.state.name}", run_id=run_id)


@contextmanager
def _ended_in_good_order() -> Iterator[None]:
    """SIGTERM and a closed terminal end a trial as Ctrl-C does, so that its container is removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
