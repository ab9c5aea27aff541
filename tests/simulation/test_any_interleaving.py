"""Whatever happens, in whatever order: the data that lie there are trained, once, and nothing stays open or held.

Arrivals come late, twice, in disorder or never; the host restarts, activities lose their answers, orchestrations are
terminated, the clock is set back. The reconciler runs a cycle when asked to, and at the end until it
finds nothing to do.
"""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.messages import Outcome, QueuePolicy, RunRecord, Verdict, delivery_of
from tests.simulation.storage import BAD
from tests.simulation.world import LostAnswerError, World
from tests.support.arrivals import a_pipeline
from tests.support.ledger_arrivals import open_runs

PIPELINES = {"patient": QueuePolicy.QUEUE, "eager": QueuePolicy.LATEST_WINS, "proud": QueuePolicy.REJECT}
QUARANTINE_AFTER = 2
NAMES = [f"landing/part-{number}.csv" for number in range(5)]
TRAINED = {Outcome.NOT_PROMOTED, Outcome.PROMOTED}
ENOUGH = 150  # cycles of the reconciler, two minutes apart, in which everything must have come to an end
FINAL = {Verdict.TRAINED, Verdict.DUPLICATE, Verdict.OUTSIDE, Verdict.UNCHANGED, Verdict.QUARANTINED, Verdict.REJECTED}

pipelines = st.sampled_from(sorted(PIPELINES))


class AnyInterleaving(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory(prefix="simulation-")
        folder = Path(self._folder.name) / "pipelines"
        folder.mkdir()
        for name, policy in PIPELINES.items():
            values = a_pipeline(name, container=name).model_dump(mode="json", exclude_none=True)
            values["train"] |= {
                "queue": {"policy": policy.value},
                "expected_seconds": 60,
                "quarantine_after": QUARANTINE_AFTER,
            }
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        self.world = World(folder, Path(self._folder.name) / "hub.sqlite")
        self.world.fault = self._fault
        self._faults: Counter[tuple[str, str]] = Counter()
        self._undelivered: list[dict[str, Any]] = []
        self._delivered: list[dict[str, Any]] = []
        self._requests = 0
        self._terminated: set[str] = set()

    def _fault(self, activity: str, moment: str) -> None:
        if self._faults[activity, moment]:
            self._faults[activity, moment] -= 1
            raise LostAnswerError(f"{activity}: lost {moment} it was done")

    @initialize()
    def holdouts(self) -> None:
        for name in PIPELINES:
            self.world.upload(name, "holdout/holdout.csv")

    @rule(pipeline=pipelines, name=st.sampled_from(NAMES), size=st.sampled_from([100, 100, 100, BAD]))
    def upload(self, pipeline: str, name: str, size: int) -> None:
        self._undelivered.append(self.world.upload(pipeline, name, size))

    @precondition(lambda self: self._undelivered)
    @rule(data=st.data(), copies=st.integers(1, 3))
    def deliver(self, data: st.DataObject, copies: int) -> None:
        event = self._undelivered.pop(data.draw(st.integers(0, len(self._undelivered) - 1)))
        self._delivered.append(event)
        self.world.deliver([event] * copies)

    @precondition(lambda self: self._undelivered)
    @rule()
    def lose(self) -> None:
        self._undelivered.pop(0)

    @precondition(lambda self: self._delivered)
    @rule(data=st.data(), other_id=st.booleans())
    def deliver_again(self, data: st.DataObject, other_id: bool) -> None:
        event = dict(data.draw(st.sampled_from(self._delivered)))
        if other_id:
            event["id"] += "-again"
        self.world.deliver([event])

    @rule(seconds=st.sampled_from([0.5, 3, 6, 30, 90, 600]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(timedelta(seconds=seconds))

    @rule()
    def watch(self) -> None:
        self.world.watch()

    @rule(pipeline=pipelines, again=st.booleans())
    def request(self, pipeline: str, again: bool) -> None:
        self._requests += not (again and self._requests)
        self.world.request(pipeline, f"http-{pipeline}-{self._requests}")

    @rule(
        activity=st.sampled_from(
            ["admit_run", "record_verdict", "acquire_compute", "submit_training", "release_compute", "record_run"]
        ),
        moment=st.sampled_from(["before", "after"]),
    )
    def lose_an_answer(self, activity: str, moment: str) -> None:
        self._faults[activity, moment] += 1

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule(seconds=st.sampled_from([1, 45]))
    def clock_is_set_back(self, seconds: int) -> None:
        self.world.set_clock_back(timedelta(seconds=seconds))

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def terminate(self, data: st.DataObject) -> None:
        run_id = data.draw(st.sampled_from(self.running()))
        self.world.terminate(run_id)
        self._terminated.add(run_id)

    @invariant()
    def one_training_at_a_time(self) -> None:
        assert self.world.driver.most_at_once <= 1, "two trainings at once"
        assert len(self.world.driver.started) == len(set(self.world.driver.started))

    def teardown(self) -> None:
        try:
            self._come_to_an_end()
            self._check()
        finally:
            self.world.close()
            self._folder.cleanup()

    def _come_to_an_end(self) -> None:
        self._faults.clear()
        for _ in range(ENOUGH):
            self.world.advance(timedelta(minutes=2))
            context = self.world.watch()
            if not context.done and not self.open_runs() and not self.world.ledger.arrivals.unfinished_windows():
                return
        raise AssertionError("the world does not come to rest")

    def _check(self) -> None:
        ledger, started = self.world.ledger, Counter(self.world.driver.started)
        queue = ledger.computes.state("hub-vm")
        assert not queue.holders, "the compute is held by nobody"
        assert not queue.waiting, "and nobody waits for it"
        for name in PIPELINES:
            assert ledger.computes.state(delivery_of(name)).holders == (), "nobody delivers any more"
            runs = self.runs(name)
            trained = Counter(run.fingerprint for run in runs if run.outcome in TRAINED)
            assert set(trained.values()) <= {1}, "each fingerprint came to a verdict once"
            assert all(started[run.run_id] == 1 for run in runs if run.outcome in TRAINED)
            failed = Counter(run.fingerprint for run in runs if run.outcome is Outcome.FAILED)
            assert max(failed.values(), default=0) <= QUARANTINE_AFTER, "nothing is tried for ever"
            self._check_that_what_lies_there_is_trained(name, runs)
            for arrival in ledger.arrivals.list_arrivals(name, limit=1000).items:
                assert arrival.verdict in FINAL, f"{arrival.arrival.blob} has no verdict"
                assert arrival.reason

    def _check_that_what_lies_there_is_trained(self, name: str, runs: list[RunRecord]) -> None:
        if not any(blob.startswith("landing/") for blob in self.world.blobs.containers[name]):
            return
        preview = self.world.preview(name)
        last = max((run for run in runs if run.fingerprint == preview.fingerprint), key=lambda run: run.attempt)
        if preview.would_start:  # tried once, and what was in its way is not for us to remove
            by_hand = last.run_id in self._terminated
            taken = PIPELINES[name] is QueuePolicy.REJECT and last.outcome is Outcome.CANCELLED
            assert by_hand or taken or last.outcome is Outcome.FAILED, last.reason
        else:
            assert last.outcome in TRAINED or preview.verdict is Verdict.QUARANTINED

    def open_runs(self) -> list[str]:
        ledger = self.world.ledger
        return sorted(request.run_id for name in PIPELINES for request in open_runs(ledger.runs, name))

    def running(self) -> list[str]:
        return [run_id for run_id in self.open_runs() if self.world.is_running(run_id)]

    def runs(self, name: str) -> list[RunRecord]:
        return list(self.world.ledger.runs.list_runs([name], limit=1000).items)


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a world is too slow to be shrunk; its steps are printed
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
