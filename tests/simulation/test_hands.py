"""Whatever operators do, in whatever order: nothing stays open or held, and what serves is what the ledger wants.

Runs train, wait for approval, go through canaries, fail under traffic. Meanwhile they are approved, rejected, cancelled
and resumed, targets are rolled back, pipelines retired and reinstated; the host dies, activities lose their answers.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from shared.messages import Outcome, RunRecord, delivery_of
from tests.simulation.hands import Hands
from tests.simulation.test_roll_outs import ANSWERS, CANARY
from tests.simulation.world import LostAnswerError, World
from tests.support.arrivals import a_pipeline
from tests.support.ledger_arrivals import open_runs
from tests.support.scripted_target import Behaviour

TARGET = "hub-vm"
PIPELINES: dict[str, dict[str, Any]] = {"plain": {}, "watched": {"strategy": CANARY, "approval": {"hours": 0.2}}}
SEEDS, STEPS = range(4), 30
ENOUGH = 60  # cycles of the reconciler, two minutes apart, in which everything must have come to an end
LOSABLE = ["apply_plan", "observe_target", "plan_roll_back", "conclude_action", "end_action", "record_run"]


def test_any_hands(tmp_path: Path) -> None:
    did = Counter[str]()
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        day = Day(seed, folder)
        try:
            day.begin()
            for _ in range(STEPS):
                day.step()
                day.check_always()
            day.come_to_an_end()
            day.check_at_the_end()
        except AssertionError as error:
            error.add_note(f"on the day of seed {seed}, on which was done: {day.did}")
            raise
        finally:
            day.world.close()
        did += day.did

    assert {"approve", "cancel", "resume", "roll back", "retire", "reinstate"} <= did.keys()


class Day:
    """What operators do and what happens meanwhile, by chance. ``did``: how often what was done, or refused and why."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._any = random.Random(seed)
        pipelines = folder / "pipelines"
        pipelines.mkdir()
        for name, delivered in PIPELINES.items():
            values = a_pipeline(name, container=name).model_dump(mode="json", exclude_none=True)
            values["train"]["expected_seconds"] = 60
            values["judge"] |= {"floor": 0.1, "margin": -0.01}
            values["deliver"] |= {"targets": [{"name": TARGET}], **delivered}
            (pipelines / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        self.world = World(pipelines, folder / "hub.sqlite", answers=ANSWERS)
        self.world.fault = self._fault
        self.hands = Hands(self.world)
        self.did = Counter[str]()
        self._faults: Counter[tuple[str, str]] = Counter()
        self._requests = 0

    def _fault(self, activity: str, moment: str) -> None:
        if self._faults[activity, moment]:
            self._faults[activity, moment] -= 1
            raise LostAnswerError(f"{activity}: lost {moment} it was done")

    def begin(self) -> None:
        """Each pipeline has a model that serves, one has two."""
        for name in PIPELINES:
            self.world.upload(name, "holdout/holdout.csv")
            self._request(name)
        self._time_passes(120)
        self._decide(approved=True)
        self._request("plain")
        self._time_passes(150)

    def step(self) -> None:
        """One thing that happens, of those that can."""
        pipeline = self._any.choice(sorted(PIPELINES))
        (happens,) = self._any.choices(*zip(*self._what_can(pipeline), strict=True))
        happens()

    def _what_can(self, pipeline: str) -> list[tuple[Callable[[], object], int]]:
        """Each with its weight."""
        retired = [name for name in PIPELINES if self.world.ledger.actions.retirement(name) is not None]
        unfinished, resumable = self._unfinished(), self._may_be_resumed()
        promoted = [run.run_id for run in self._runs(pipeline) if run.outcome is Outcome.PROMOTED]
        back_to = self._any.choice([None, None, *promoted])
        return [
            (lambda: self._request(pipeline), 4),
            (lambda: self._time_passes(self._any.choice([1, 20, 45, 90, 300])), 8),
            (lambda: self._decide(approved=self._any.random() < 0.6), 3 * bool(unfinished)),
            (lambda: self._note(self.hands.cancel(self._any.choice(unfinished)), "cancel"), 2 * bool(unfinished)),
            (lambda: self._note(self.hands.resume(self._any.choice(resumable)), "resume"), 5 * bool(resumable)),
            (lambda: self._note(self.hands.roll_back(TARGET, pipeline, back_to), "roll back"), 3),
            (lambda: self._note(self.hands.retire(pipeline), "retire"), int(not retired)),
            (lambda: self._note(self.hands.reinstate(self._any.choice(retired)), "reinstate"), 3 * bool(retired)),
            (lambda: self._newcomers_behave(pipeline), 1),
            (lambda: self._faults.update([(self._any.choice(LOSABLE), self._any.choice(["before", "after"]))]), 2),
            (self.world.watch, 2),
            (self.world.restart, 1),
        ]

    def _note(self, answer: Any, what: str) -> None:
        refused = isinstance(answer, str) and " " not in answer
        self.did[f"{what}: {answer}" if refused else what] += 1

    def _request(self, pipeline: str) -> None:
        self._requests += 1
        self.world.upload(pipeline, f"landing/part-{self._requests}.csv")
        self.world.request(pipeline, f"http-{self._requests}")

    def _time_passes(self, seconds: int) -> None:
        for _ in range(3):
            self.world.advance(timedelta(seconds=seconds / 3))

    def _decide(self, *, approved: bool) -> None:
        for run in open_runs(self.world.ledger.runs, "watched"):
            self._note(self.hands.decide(run.run_id, approved=approved), "approve" if approved else "reject")

    def _newcomers_behave(self, pipeline: str) -> None:
        self.world.targets.of(TARGET, pipeline).otherwise = Behaviour(errors=self._any.choice([0.0, 0.4]))

    def check_always(self) -> None:
        """What holds at any time."""
        assert self.world.driver.most_at_once <= 1, "two trainings at once"
        assert len(self.world.driver.started) == len(set(self.world.driver.started))
        for name in PIPELINES:
            champion = self.world.ledger.champions.champion(name).run_id
            record = self.world.ledger.runs.run(champion) if champion else None
            assert champion is None or (record and record.outcome is Outcome.PROMOTED), "a champion was promoted"

    def come_to_an_end(self) -> None:
        """Nothing goes wrong any more, and time passes."""
        self._faults.clear()
        for _ in range(ENOUGH):
            self.world.advance(timedelta(minutes=2))
            context = self.world.watch()
            if not context.done and not self._unfinished() and not self.world.ledger.actions.unfinished():
                return
        raise AssertionError("the world does not come to rest")

    def check_at_the_end(self) -> None:
        """What holds when everything has come to an end."""
        ledger = self.world.ledger
        assert self.world.living() == [], "an orchestration goes on"
        assert ledger.computes.state("hub-vm").holders == ()
        assert all(run.outcome is not None for name in PIPELINES for run in self._runs(name))
        resumed = {run.run_id for name in PIPELINES for run in self._runs(name) if run.continues}
        assert not resumed & set(self.world.driver.started), "what was resumed has trained"
        for name in PIPELINES:
            assert ledger.computes.state(delivery_of(name)).holders == (), "nobody delivers any more"
            self._check_what_serves(name)

    def _check_what_serves(self, name: str) -> None:
        known, champion = self.world.ledger.targets.of(TARGET, name), self.world.ledger.champions.champion(name).run_id
        wanted = {each.run_id: each.weight for each in known.desired.releases} if known.desired else {}
        target = self.world.targets.of(TARGET, name)
        assert target.serves == {run_id: weight for run_id, weight in wanted.items() if weight}
        assert target.there == wanted.keys(), "there is nothing that nobody wants"
        if self.world.ledger.actions.retirement(name) is not None:
            assert (champion, target.serves) == (None, {})
        else:
            assert target.serves == ({champion: 100} if champion else {}), "the champion serves, and nothing else"

    def _runs(self, name: str) -> list[RunRecord]:
        return list(self.world.ledger.runs.list_runs([name], limit=1000).items)

    def _unfinished(self) -> list[str]:
        return sorted(run.run_id for name in PIPELINES for run in open_runs(self.world.ledger.runs, name))

    def _may_be_resumed(self) -> list[str]:
        over = {Outcome.CANCELLED, Outcome.ROLLED_BACK}
        return sorted(run.run_id for name in PIPELINES for run in self._runs(name) if run.outcome in over)
