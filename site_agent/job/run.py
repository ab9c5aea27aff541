"""One run, from its order to its receipt.

The order of things: the site's policy, the run's lock, Azure ML's run, the data and their checks, training, the answer
to the sample, evaluation of the new model and of the champion's, their comparison, the egress guard, and then what it
released goes to Azure ML. Whatever happens, the containers and the folder of the run are gone at the end, the outputs
hold a signed receipt, and a failure is told in words that hold no data.
"""

import contextlib
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from site_agent.job import folders
from site_agent.job.cache import Cache
from site_agent.job.cloud import (
    FAILURE_TAG,
    KIND_TAG,
    CloudRun,
    Opening,
    OpenRun,
    left_out_tag,
    report_metrics,
)
from site_agent.job.failures import CODE, OUTSIDE, InterruptedJobError, JobError, OutsideError, bounded
from site_agent.job.guard.metrics import read_metrics
from site_agent.job.guard.receipt import Receipt, Traffic
from site_agent.job.guard.release import Facts, Produced, release, release_reason
from site_agent.job.guard.samples import Reference
from site_agent.job.guard.signing import load_key
from site_agent.job.guard_box import GuardBox
from site_agent.job.inputs import Inputs, fetch_inputs
from site_agent.job.installation import Installation
from site_agent.job.job_output import Output
from site_agent.job.kept_runs import keep
from site_agent.job.losses import read_losses
from site_agent.job.order import Order, parse_order
from site_agent.job.policy import Policy, load_policy
from site_agent.job.run_folder import RunFolder
from site_agent.job.stages import Stages
from site_agent.job.statistics import compare
from site_agent.job.step_times import StepTimes, trace_of
from site_agent.job.sweep import own_run, sweep
from site_agent.job.vitals import Network

OUTPUTS: Final = "outputs"
CODE_FOLDER: Final = "code"
_LONGEST_TROUBLE: Final = 300
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Job:
    """One run. ``submitted``: the folder that Azure ML started the job in, where it also collects the outputs."""

    order: Order
    installation: Installation
    output: Output
    submitted: Path
    opening: Opening
    guarded: bool = True
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    policy: Policy | None = None
    stages: Stages | None = None
    times: StepTimes = field(default_factory=StepTimes)

    @property
    def outputs(self) -> Path:
        """What Azure ML collects; only the egress guard writes there."""
        return self.submitted / OUTPUTS

    def do(self) -> int:
        """Do the run; the exit status is 0 only if everything was done and told."""
        self.output.note(f"trace: {trace_of(os.environ)}")
        try:
            _empty(self.outputs)
            self._run()
            return 0
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told, and only in our words
            self._tell(error)
            return 1

    def _run(self) -> None:
        installation = self.installation
        policy = load_policy(installation.policy, shown=installation.shown(installation.policy))
        self.policy = policy
        policy.check(self.order)
        sweep(installation.runs, installation.engine_for)
        with self._own_folder() as folder:
            stages = self._new_stages(policy, folder)
            stages.check_commands()
            folder.take_code(self.submitted / CODE_FOLDER)
            folder.take_tools()
            cache = Cache(installation.cache, policy.limits.cache)
            with self.times.step("data"):
                inputs = fetch_inputs(
                    self.order, policy, sites=installation.sites, cache=cache, into=folder.root, say=self.output.note
                )
            self.output.say(f"data: {len(inputs.files)} files, {inputs.bytes_moved} of {inputs.bytes_total} bytes came")
            run = self.opening.run()
            _tag(run, left_out_tag(inputs.left_out))
            self._train(run, stages, inputs)

    def _train(self, run: CloudRun, stages: Stages, inputs: Inputs) -> None:
        stages.train(inputs)
        smoke = stages.smoke()
        stages.evaluate(inputs)
        champion = self._champion(stages, inputs)
        began = time.monotonic()
        with self.times.step("guard"):
            receipt = self._release(stages, inputs, champion, smoke)
        self.output.say(f"egress guard: done in {time.monotonic() - began:.1f} s")
        report_metrics(
            run, _metrics(self.outputs / "metrics.json"), _metrics(self.outputs / "champion.json", "metrics")
        )
        self.output.say(receipt.sentence)
        with contextlib.suppress(Exception):  # when its steps were is nothing that a run fails for
            run.set_tags(self.times.tag)

    @contextlib.contextmanager
    def _own_folder(self) -> Iterator[RunFolder]:
        """The run's folder for a ``with`` block, with its lock held and a guardian beside."""
        installation, run_id = self.installation, self.order.run_id
        engine = installation.engine_for(run_id)
        with own_run(installation.runs, run_id, engine, guarded=self.guarded):
            folder = RunFolder(installation.runs / run_id)
            folder.make()
            try:
                yield folder
            finally:
                most = 0 if self.policy is None else self.policy.keep_runs
                keep(folder, installation.kept, run_id, most=most, engine=engine)

    def _new_stages(self, policy: Policy, folder: RunFolder) -> Stages:
        self.stages = Stages(
            order=self.order,
            policy=policy,
            engine=self.installation.engine_for(self.order.run_id),
            folder=folder,
            deadline=self.started + self.order.seconds,
            say=self.output.say,
            times=self.times,
            where=self._shown_log,
        )
        return self.stages

    def _champion(self, stages: Stages, inputs: Inputs) -> dict[str, Any] | None:
        """What is known of the champion's model on the same rows; a trouble with it never fails the run."""
        champion, folder = self.order.champion, stages.folder
        own = read_losses(folder.evaluation)
        if champion is None:
            return None
        found: dict[str, Any] = {"run_id": champion.run_id, "metrics": {}, "trouble": "", "comparison": None}
        try:
            stages.evaluate_champion(inputs, champion.image)
            judged = self.order.judged_metric
            numbers = read_metrics(folder.champion, None, judged=judged, most=stages.policy.leaves.metrics).numbers
            found["metrics"] = dict(numbers)
            theirs = read_losses(folder.champion)
            if own is not None and theirs is not None:
                found["comparison"] = compare(
                    own.values,
                    theirs.values,
                    own.slices,
                    level=self.order.level,
                    seed=_seed(self.order.run_id),
                    least_rows=stages.policy.leaves.least_rows,
                )
        except InterruptedJobError:
            raise
        except (JobError, ValueError) as error:
            trouble = bounded(f"its model could not be measured again: {error}", _LONGEST_TROUBLE)
            found["trouble"] = "" if found["metrics"] else trouble
            self.output.say(f"the champion, run {champion.run_id}: {trouble}")
        return found

    def _release(
        self, stages: Stages, inputs: Inputs, champion: Mapping[str, Any] | None, smoke: bytes | None
    ) -> Receipt:
        folder = stages.folder
        produced = Produced(
            model=folder.model,
            evaluation=folder.evaluation,
            training=folder.scratch,
            champion=champion,
            smoke=smoke,
        )
        return release(
            produced,
            stages.policy,
            self.order,
            reference=Reference(folder=inputs.data, declared=self.order.data.declared),
            held_out=Reference(folder=inputs.holdout.parent, declared=self.order.data.declared),
            box=GuardBox(stages),
            into=self.outputs,
            facts=self._facts(),
            key=load_key(self.installation.signing_key),
        )

    def _facts(self) -> Facts:
        results = {} if self.stages is None else self.stages.results
        traffic = [_traffic(role, each.network) for role, each in results.items()]
        return Facts(started_at=self.started_at, network=traffic)

    def _tell(self, error: BaseException) -> None:
        """Say why the run failed, here, in a receipt and to Azure ML."""
        self.output.note_error(error)
        if isinstance(error, JobError):
            kind, reason = error.kind, bounded(str(error))
        else:
            kind = OUTSIDE if isinstance(error, OSError | MemoryError) else CODE
            where = f"; its text is in {self.installation.shown(self.output.where)}" if self.output.where else ""
            reason = f"the job on the VM failed ({type(error).__name__}){where}"
        self.output.say(f"failed: {reason}")
        if not (self.outputs / "receipt.json").exists():
            with contextlib.suppress(JobError, OSError):
                key = load_key(self.installation.signing_key)
                release_reason(reason, self.policy, self.order, self.outputs, facts=self._facts(), key=key)
        try:
            self.opening.run().set_tags({FAILURE_TAG: reason, KIND_TAG: kind, **self.times.tag})
        except BaseException as trouble:  # noqa: BLE001 - reporting itself has failed
            self.output.note_error(trouble)
            self.output.say(f"the failure could not be reported to Azure ML ({type(trouble).__name__})")

    def _shown_log(self, log: Path) -> str:
        kept = self.installation.kept / self.order.run_id / log.relative_to(self.installation.runs / self.order.run_id)
        return f"{self.installation.shown(kept)} on the VM"


def run_job(order_text: str, installation: Installation, open_run: OpenRun, *, guarded: bool = True) -> int:
    """Do the run of an order in the folder that Azure ML started this process in; returns the exit status."""
    submitted = Path.cwd()
    os.umask(0o077)
    opening = Opening(open_run)
    try:
        order = parse_order(order_text)
    except OutsideError as error:
        return _tell_without_order(error, opening)
    output = Output(order.run_id, installation.logs)
    with _interruptible():
        return Job(order, installation, output, submitted, opening, guarded).do()


def _tell_without_order(error: OutsideError, opening: Opening) -> int:
    output = Output("without-order", None)
    output.say(f"failed: {error}")
    try:
        opening.run().set_tags({FAILURE_TAG: bounded(str(error)), KIND_TAG: error.kind})
    except BaseException as trouble:  # noqa: BLE001 - reporting itself has failed
        output.say(f"the failure could not be reported to Azure ML ({type(trouble).__name__})")
    return 1


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """A signal ends the run in good order; a second one does not disturb that."""

    def interrupt(number: int, _: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise InterruptedJobError(f"the run was ended on the VM ({signal.Signals(number).name})")

    before = {each: signal.signal(each, interrupt) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _empty(folder: Path) -> None:
    """Nothing that was submitted in the place of the outputs is taken for one."""
    folders.remove(folder)
    folder.mkdir(mode=0o700)


def _tag(run: CloudRun, tags: dict[str, str]) -> None:
    if tags:
        try:
            run.set_tags(tags)
        except Exception as error:
            raise OutsideError(f"Azure ML does not take the run's tags ({type(error).__name__})") from error


def _metrics(file: Path, part: str = "") -> dict[str, float]:
    """The numbers that were released; none when the file was not."""
    if not file.exists():
        return {}
    document = json.loads(file.read_bytes())
    numbers: dict[str, float] = document[part] if part else document
    return numbers


def _traffic(container: str, network: Network) -> Traffic:
    return Traffic(container=container, received=network.received, sent=network.sent)


def _seed(run_id: str) -> int:
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big")
