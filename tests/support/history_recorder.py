"""Record histories of real runs for ``tests/replay``: ``python -m tests.support.history_recorder``.

Starts a local stack, lets runs end in every way, and writes each orchestration's last execution as the host stored it.
Histories in folders below stay as they are, because nobody can record them any more: ``schema_1`` is from before the
compute queue, ``schema_2`` from before deliveries took turns, ``schema_3`` from before sealed training. Takes some ten
minutes. Addresses of this machine are replaced; histories hold references only, no data, no secret.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from local_stack.app_client import AppClient, app_client, blob_created, deadline, land
from local_stack.demo_data import breast_cancer_story
from local_stack.functions_host.durable.history import EventType, event, from_stamp
from local_stack.functions_host.durable.interfaces import TERMINAL_STATUSES
from local_stack.stack_hub.engine import find
from local_stack.stack_hub.vm import Vm
from local_stack.supervisor import Stack
from local_stack.supervisor.layout import Layout
from tests.support.host_store import HistoryEvent, HostStore, wait_until
from tests.support.stack import running_stack

FOLDER = Path(__file__).resolve().parents[1] / "replay" / "histories"
PIPELINE = "breast-cancer"
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")

Run = dict[str, Any]


def main() -> None:
    """Play every scenario and write its histories."""
    for file in FOLDER.glob("*.json"):
        file.unlink()
    with running_stack(PIPELINE) as stack, app_client(stack.endpoints) as app:
        recorder = Recorder(stack, app)
        data = breast_cancer_story()
        second = data.second["landing/part-3.csv"]
        land(stack.endpoints, PIPELINE, data.holdout_name, data.holdout)
        recorder.scenario("promoted", data.first)
        with recorder.telling_of_the_training():
            recorder.scenario("woken", data.second)
        recorder.asked("asked", parameters={"inverse_regularisation": 0.29})
        recorder.asked("asked_again", parameters={"inverse_regularisation": 0.29})
        recorder.scenario("not_promoted", data.bad)
        recorder.scenario("training_failed", {"landing/part-4.csv": b"not,what,was,agreed\n1,2,3,4\n"})
        with recorder.losing_the_candidate():
            recorder.scenario("candidate_lost", {"landing/part-4.csv": second})
        recorder.waited("waited", {"inverse_regularisation": 0.31}, {"inverse_regularisation": 0.32})
        recorder.terminated("wound_up", {"inverse_regularisation": 0.33})
        with recorder.away_until_a_run_waits_for_it("haproxy"):
            recorder.scenario("outside", {"landing/part-4.csv": second.rstrip(b"\n").rpartition(b"\n")[0] + b"\n"})


@dataclass(slots=True)
class Recorder:
    """Plays scenarios on a stack and writes what the host kept of them."""

    stack: Stack
    app: AppClient
    _store: HostStore = field(init=False)

    def __post_init__(self) -> None:
        self._store = HostStore(self.stack.state)

    def scenario(self, name: str, parts: dict[str, bytes]) -> None:
        """Let files land, wait for the outcome, and write the histories of all that happened."""
        known = {run["run_id"] for run in self.app.runs(PIPELINE)}
        for blob, content in parts.items():
            landed = land(self.stack.endpoints, PIPELINE, blob, content)
            self.app.deliver(blob_created(self.stack.endpoints, landed))
        run_id = self.app.wait_for_new_run(PIPELINE, known)
        self._write_at_the_end(name, run_id)

    def asked(self, name: str, **body: Any) -> None:
        """The same for a run that a person asks for, or is told of."""
        self._write_at_the_end(name, self._start(**body))

    def waited(self, name: str, first: dict[str, Any], second: dict[str, Any]) -> None:
        """Two runs with these parameters want the compute at once; how the second one waited is kept."""
        ahead, run_id = self._start(parameters=first), self._start(parameters=second)
        self._ended(name, ahead)
        self._ended(name, run_id)
        history = self._store.history(f"{run_id}-compute")
        if not any(each["EventType"] == EventType.TIMER_CREATED for each in history):
            raise RuntimeError(f"run {run_id} found the compute free; record again")
        _write(name, f"{run_id}-compute", history)
        self._begin_anew()

    def terminated(self, name: str, parameters: dict[str, Any]) -> None:
        """A run's orchestration is terminated while it trains; how the reconciler ended the run is kept."""
        run_id = self._start(parameters=parameters)
        wait_until(lambda: self._store.answered("submit_training"), "the training")
        self._terminate(run_id)
        wait_until(lambda: self._store.statuses()[run_id] == "Terminated", "the end of the run's orchestration")
        for _ in deadline(120, "the winding-up", pause=2):
            self.app.fire("keep_watch")
            if self._store.instances("wind_up_run"):
                break
        self._ended(name, run_id)
        finalization = f"{run_id}-wind-up"
        wait_until(lambda: self._store.statuses()[finalization] == "Completed", "the end of the winding-up")
        _write(name, finalization, self._store.history(finalization))
        self._begin_anew()

    def _start(self, **body: Any) -> str:
        answer = self.app.post(f"/api/pipelines/{PIPELINE}/runs", body)
        answer.raise_for_status()
        return str(answer.json()["run_id"])

    def _terminate(self, instance_id: str) -> None:
        host = self.stack.endpoints["functions_host"]
        url = f"{host['url'].rstrip('/')}/runtime/webhooks/durabletask/instances/{instance_id}/terminate"
        query = {"reason": "to see what becomes of it", "code": host["master_key"]}
        requests.post(url, params=query, timeout=30).raise_for_status()

    @contextmanager
    def telling_of_the_training(self) -> Iterator[None]:
        """Meanwhile Azure ML tells of the training once, and the execution that this ends is kept as well."""

        def tell() -> None:
            wait_until(lambda: self._store.answered("check_training"), "the training")
            (instance_id,) = self._store.instances("await_training")
            about = {"data": {"runId": instance_id.removesuffix("-training")}}
            nowhere = land(self.stack.endpoints, "elsewhere", "a", b"a")
            kind = {"eventType": "Microsoft.MachineLearningServices.RunStatusChanged"}
            self.app.deliver(blob_created(self.stack.endpoints, nowhere) | kind | about, function="on_training_status")
            self._keep_until_it_continues_as_new(instance_id)

        with _meanwhile(tell):
            yield

    @contextmanager
    def losing_the_candidate(self) -> Iterator[None]:
        """Meanwhile the candidate is removed from the VM while it is waited for."""

        def lose() -> None:
            wait_until(lambda: self._store.answered("apply_plan"), "a candidate")
            (run_id,) = self._store.instances("retrain_model")
            self._remove_container(run_id)

        with _meanwhile(lose):
            yield

    @contextmanager
    def away_until_a_run_waits_for_it(self, service: str) -> Iterator[None]:
        """Meanwhile a service of the stack is away, until a run pauses because of that."""
        self.stack.stop_service(service)

        def come_back() -> None:
            def waits() -> bool:
                open_runs = [run for run in self.app.runs(PIPELINE) if run["outcome"] is None]
                return any("next_try_at" in (self.app.run(run["run_id"]).get("progress") or {}) for run in open_runs)

            for _ in deadline(600, "a run that waits", pause=2):
                if waits():
                    break
            self.stack.start_service(service)

        with _meanwhile(come_back):
            yield

    def _remove_container(self, run_id: str) -> None:
        engine = find(Vm(self.stack.state / "vm", Layout.at(self.stack.state).runtime, port=0).engine_configuration)
        listing = [engine.name, "ps", "--quiet", "--filter", f"label=edgetrain.run-id={run_id}"]
        environment = {**os.environ, **engine.environment}
        found = subprocess.run(listing, env=environment, capture_output=True, text=True, check=True, timeout=60)
        remove = [engine.name, "rm", "--force", "--time", "0", *found.stdout.split()]
        subprocess.run(remove, env=environment, capture_output=True, check=True, timeout=60)

    def _write_at_the_end(self, scenario: str, run_id: str) -> None:
        """Write the last execution of every instance that began since the last scenario, once all have ended."""
        self._ended(scenario, run_id)
        store = self._store
        wait_until(lambda: set(store.statuses().values()) == {"Completed"}, "the end of all orchestrations")
        for instance_id in store.statuses():
            _write(scenario, instance_id, store.history(instance_id))
        self._begin_anew()

    def _ended(self, scenario: str, run_id: str) -> None:
        run = self.app.wait_for_outcome(run_id, seconds=600)
        sys.stdout.write(f"{scenario}: {run['outcome']}: {run['reason']}\n")

    def _begin_anew(self) -> None:
        """Wait until nothing goes on any more, and forget all that there was."""
        store = self._store
        wait_until(lambda: set(store.statuses().values()) <= TERMINAL_STATUSES, "the end of all orchestrations")
        self._store = HostStore(self.stack.state)

    def _keep_until_it_continues_as_new(self, instance_id: str) -> None:
        """Keep the execution of an instance that the host deletes when the next one begins.

        Its last turn is put together from the message that caused it, seen in the inbox, and its time, which is that of
        the next execution's start.
        """
        seen: tuple[list[HistoryEvent], list[HistoryEvent]] = ([], [])

        def over() -> bool:
            nonlocal seen
            now = self._store.history_and_inbox(instance_id)
            started = [each for part in now for each in part if each["EventType"] == EventType.EXECUTION_STARTED]
            if started[0].get("Generation", 0) == 0:
                seen = now
                return False
            self._write_continued(instance_id, *seen, started[0])
            return True

        wait_until(over, "the next execution")

    @staticmethod
    def _write_continued(
        instance_id: str, history: list[HistoryEvent], inbox: list[HistoryEvent], following: HistoryEvent
    ) -> None:
        if [each["EventType"] for each in inbox] != [EventType.TASK_COMPLETED]:
            raise RuntimeError("the message that ended the execution was not seen; record again")
        turn = event(EventType.ORCHESTRATOR_STARTED, from_stamp(following["Timestamp"]))
        _write("wake_up", instance_id, [*history, turn, *inbox], continued_with=following["Input"])


@contextmanager
def _meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do something while the block runs; what it raises is raised at the end."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()
    if failed:
        raise failed[0]


def _write(scenario: str, instance_id: str, history: list[HistoryEvent], **more: Any) -> None:
    name = next(each["Name"] for each in history if each["EventType"] == EventType.EXECUTION_STARTED)
    document = {"orchestrator": name, "instance_id": instance_id, "history": [_bare(each) for each in history], **more}
    text = _ADDRESS.sub("vm.example:8400", json.dumps(document, indent=1, sort_keys=True))
    asked = next((each for each in history if each["EventType"] == EventType.TASK_SCHEDULED), {})
    # Guarded steps share a name; what they guard tells them apart. So does what a run takes its turn at.
    guarded = [asked["Name"]] if name == "guarded_step" else []
    delivery = ["delivery"] if instance_id.endswith("-delivery") else []
    parts = [scenario, name, *guarded, *delivery, "json"]
    (FOLDER / ".".join(parts)).write_text(text + "\n", encoding="utf-8")


def _bare(each: HistoryEvent) -> HistoryEvent:
    """A failure's details are a stack with paths of this machine; nothing in the app reads them."""
    return each | {key: None for key in ("Details", "FailureDetails") if key in each}


if __name__ == "__main__":
    main()
