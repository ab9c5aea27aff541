"""Records what roll-outs by plans do, on the local host's engine in one process (``tests/simulation``).

    python -m tests.support.roll_out_recorder [SCENARIO ...]

Without names, every scenario is recorded anew.
Writes ``tests/replay/histories/by_plans``; see the README beside it for when to do that.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local_stack.functions_host.durable.history import EventType
from orchestrations.roll_out import DECIDED
from shared.messages import Approval, RunRecord
from shared.pipelines import Pipelines
from tests.simulation import world as worlds
from tests.simulation.hands import Hands
from tests.simulation.test_roll_outs import ANSWERS, CANARY, NAME, deliver
from tests.simulation.world import World
from tests.support.host_store import HostStore
from tests.support.scripted_target import Behaviour

FOLDER = Path(__file__).resolve().parents[1] / "replay" / "histories" / "by_plans"
CONTINUE_AS_NEW = 4
LONG_CANARY = CANARY | {"steps": [5, 25, 50], "soak_seconds": 600}
WHOLE_RUN = {"settle_arrivals", "await_compute", "await_training"}
OF_INTEREST = {"retrain_model", "roll_out", "reach_goal", "roll_target_back", "retire_from_targets", "wind_up_run"}


def main(*names: str) -> None:
    """Play scenarios and write their histories."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or SCENARIOS:
        deliver_with, play = SCENARIOS[name]
        for file in [*FOLDER.glob(f"{name}.*.json"), *FOLDER.glob(f"{name}_continued_*.json")]:
            file.unlink()
        with _recorder(name, **deliver_with) as recorder:
            play(recorder)


class _Recorder:
    """One scenario: a first run in peace, and then the one that is recorded."""

    def __init__(self, scenario: str, world: World, store: HostStore, continued: list[dict[str, Any]]) -> None:
        self._scenario = scenario
        self._world = world
        self._store = store
        self._continued = continued
        self._also: set[str] = set()

    def newcomers(self, behaviour: Behaviour, *, only: str = "") -> None:
        """How releases behave that are started from now on, at one target or at both."""
        for name in [only] if only else ["hub-vm", "cloud"]:
            self._world.targets.of(name, NAME).otherwise = behaviour

    def run(self, meanwhile: Callable[[], None] = lambda: None) -> RunRecord:
        """One more file, and the run that it leads to; ``meanwhile`` is called again and again until it has ended."""
        begun = len(self._world.ledger.runs.list_runs([NAME]).items)
        self._world.upload(NAME, f"landing/part-{begun}.csv")
        self._world.request(NAME, f"http-{begun}")
        for _ in range(5_000):
            self._world.advance(timedelta(seconds=2))
            meanwhile()
            runs = self._world.ledger.runs.list_runs([NAME]).items
            if len(runs) > begun and runs[0].outcome is not None:
                return runs[0]
        raise RuntimeError(f"{self._scenario}: the run has not ended")

    def by_a_file(self) -> None:
        """A run that the event of a file leads to, with all of its orchestrations."""
        self._also = WHOLE_RUN
        self._world.deliver([self._world.upload(NAME, "landing/part-of-a-file.csv")])
        for _ in range(5_000):
            self._world.advance(timedelta(seconds=2))
            runs = self._world.ledger.runs.list_runs([NAME]).items
            if len(runs) > 1 and runs[0].outcome is not None:
                return
        raise RuntimeError(f"{self._scenario}: the run has not ended")

    def decide(self, *, approved: bool) -> None:
        """A run that waits until somebody decides, of which its roll-outs are told."""
        told: list[str] = []

        def tell(run_id: str) -> None:
            for target in ("hub-vm", "cloud"):
                decision = Approval(
                    run_id=run_id, target=target, approved=approved, by="ada", at=self._world.clock.now()
                )
                self._world.ledger.approvals.decide(decision)
                self._world.play(self._world.host.hub.raise_event(f"{run_id}-target-{target}", DECIDED, "null"))

        def once_asked() -> None:
            wishes = [run for run, kind in self._world.services.outbox.announced if kind == "approval_wanted"]
            if len(wishes) == 2 and not told:
                told.append(wishes[0])
                tell(wishes[0])

        self.run(meanwhile=once_asked)

    def candidate_fails(self) -> None:
        """A candidate that never becomes healthy."""
        self.newcomers(Behaviour(trouble="it exited with 3", final=True))
        self.run()

    def one_target_goes_back(self) -> None:
        """A candidate that fails under traffic at one target."""
        self.newcomers(Behaviour(errors=0.4), only="hub-vm")
        self.run()

    def taken_back(self) -> None:
        """A promoted model that an operator takes back."""
        self.run()
        self._act(self._hands.roll_back("hub-vm", NAME))

    def retired(self) -> None:
        """A pipeline that an operator retires."""
        self.run()
        self._act(self._hands.retire(NAME))

    def resumed(self) -> None:
        """A run that is cancelled in its canary, and the attempt that goes on from it."""
        cancelled: list[str] = []

        def in_its_canary() -> None:
            weights = self._world.targets.of("hub-vm", NAME).serves
            if len(weights) == 2 and not cancelled:
                cancelled.append(min(weights, key=weights.__getitem__))
                self._hands.cancel(cancelled[0])

        self.run(meanwhile=in_its_canary)
        self._ended(self._hands.resume(cancelled[0]).view.run_id)

    @property
    def _hands(self) -> Hands:
        return Hands(self._world)

    def _act(self, begun: Any) -> None:
        for _ in range(300):
            self._world.advance(timedelta(seconds=2))
            if self._world.ledger.actions.ended(begun.view.action_id) is not None:
                return
        raise RuntimeError(f"{self._scenario}: the action has not ended")

    def _ended(self, run_id: str) -> None:
        for _ in range(5_000):
            self._world.advance(timedelta(seconds=2))
            record = self._world.ledger.runs.run(run_id)
            if record is not None and record.outcome is not None:
                return
        raise RuntimeError(f"{self._scenario}: the run has not ended")

    def write(self) -> None:
        """Write the last execution of what is of interest, and every one that continued as new."""
        for instance_id, status in self._store.statuses().items():
            history = self._store.history(instance_id)
            name = next(each["Name"] for each in history if each["EventType"] == EventType.EXECUTION_STARTED)
            if name in OF_INTEREST | self._also and status == "Completed" and not instance_id.endswith("-target-cloud"):
                self._write(name, {"orchestrator": name, "instance_id": instance_id, "history": history})
        for number, document in enumerate(self._continued[:1]):
            self._write(f"continued_{number + 1}.{document['orchestrator']}", document)

    def _write(self, name: str, document: dict[str, Any]) -> None:
        parts = name.split(".")
        file = ".".join([f"{self._scenario}_{parts[0]}", parts[1]] if len(parts) > 1 else [self._scenario, name])
        text = json.dumps(document, indent=1, sort_keys=True)
        (FOLDER / f"{file}.json").write_text(text + "\n", encoding="utf-8")


SCENARIOS: dict[str, tuple[dict[str, Any], Callable[[_Recorder], object]]] = {
    "approved": ({"approval": {"hours": 1}}, lambda recorder: recorder.decide(approved=True)),
    "rejected": ({"approval": {"hours": 1}}, lambda recorder: recorder.decide(approved=False)),
    "canary": ({"strategy": LONG_CANARY}, _Recorder.run),
    "candidate_failed": ({}, _Recorder.candidate_fails),
    "rolled_back": ({"strategy": CANARY, "on_failure": "roll_back_all"}, _Recorder.one_target_goes_back),
    "taken_back": ({}, _Recorder.taken_back),
    "retired": ({}, _Recorder.retired),
    "preflighted": ({}, _Recorder.run),
    "fewer_steps": ({}, _Recorder.by_a_file),
    "resumed": ({"strategy": CANARY}, _Recorder.resumed),
}
"""By name: what the pipeline's file says of its delivery, and what happens."""


@contextmanager
def _recorder(scenario: str, **changes: Any) -> Iterator[_Recorder]:
    continued: list[dict[str, Any]] = []

    class Recording(worlds._CountingInvoker):
        def run_orchestrator(self, name: str, request: str) -> str:
            answer = super().run_orchestrator(name, request)
            _keep_if_it_continues(name, json.loads(request), json.loads(answer), continued)
            return answer

    usual, worlds._CountingInvoker = worlds._CountingInvoker, Recording  # type: ignore[misc]
    try:
        with TemporaryDirectory(prefix="edgetrain-recorder-") as folder:
            pipelines, host = Path(folder) / "pipelines", Path(folder) / "functions_host"
            pipelines.mkdir()
            host.mkdir()
            deliver(pipelines)
            world = World(pipelines, host / "hub.sqlite3", answers=ANSWERS)
            world.upload(NAME, "holdout/holdout.csv")
            try:
                _Recorder(scenario, world, HostStore(Path(folder)), continued).run()
                deliver(pipelines, **changes)
                world.services.__dict__["pipelines"] = Pipelines(pipelines)
                continued.clear()
                recorder = _Recorder(scenario, world, HostStore(Path(folder)), continued)
                yield recorder
                world.advance(timedelta(seconds=1))
                recorder.write()
            finally:
                world.close()
    finally:
        worlds._CountingInvoker = usual  # type: ignore[misc]


def _keep_if_it_continues(
    name: str, request: dict[str, Any], answer: dict[str, Any], continued: list[dict[str, Any]]
) -> None:
    last = answer["actions"][0][-1] if answer["actions"] and answer["actions"][0] else {}
    if name == "roll_out" and last.get("actionType") == CONTINUE_AS_NEW:
        document = {"orchestrator": name, "instance_id": request["instanceId"], "history": request["history"]}
        continued.append(document | {"continued_with": json.dumps(last["input"])})


if __name__ == "__main__":
    main(*sys.argv[1:])
