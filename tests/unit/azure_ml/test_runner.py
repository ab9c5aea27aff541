"""Taking up a run at each point where the process before us may have died."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from local_stack.azure_ml import runs
from local_stack.azure_ml.runner import Runner
from local_stack.azure_ml.vm_session import CommandError, RefusedError, UnreachableError, VmLink
from local_stack.azure_ml.workspace import Workspace

DEFINITION = {"script": "job.py", "environment": {"python": {"interpreterPath": "/python"}}}


@dataclass
class ScriptedVm:
    """Plays link and session: answers each command by the first of its words that occurs in it."""

    answers: dict[str, str] = field(default_factory=dict)
    trouble: list[Exception] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def call(self, action: Any) -> Any:
        if self.trouble:
            raise self.trouble.pop(0)
        return action(self)

    def run(self, command: str) -> str:
        self.commands.append(command)
        return next((answer for word, answer in self.answers.items() if word in command), "")

    def write(self, path: str, content: bytes, mode: int = 0o600) -> None: ...

    def upload(self, source: Path, path: str) -> None: ...

    def follow(self, path: str, target: Path) -> None:
        target.write_text("a line\n", encoding="utf-8")

    def files(self, folder: str) -> Iterator[str]:
        return iter(())

    @property
    def starts(self) -> int:
        return sum("mkdir launched" in command for command in self.commands)


ENDED = {"[ -e exit ]": "0", "mkdir launched": "now"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path)
    opened.blobs.mkdir()
    runs.create_run(opened, "pumps", "r-1", target="vm")
    opened.store.put(runs.EXECUTION, "r-1", {"owner": "o-1", "snapshot": "s", "definition": DEFINITION, "trainings": 0})
    yield opened
    opened.store.close()


def execute(workspace: Workspace, vm: ScriptedVm, *, patience: float = 0) -> dict[str, Any]:
    asyncio.run(Runner(workspace, "r-1", cast("VmLink", vm), patience, pace=0).execute())
    return workspace.store.get(runs.RUN, "r-1") or {}


def note(workspace: Workspace, status: str, **facts: Any) -> None:
    runs.set_status(workspace, "r-1", status)
    workspace.store.change(runs.EXECUTION, "r-1", lambda execution: execution.update(facts))


def trainings(workspace: Workspace) -> int:
    return int((workspace.store.get(runs.EXECUTION, "r-1") or {})["trainings"])


def message(run: dict[str, Any]) -> str:
    return str(run["error"]["error"]["message"])


def test_a_run_is_started_once_collected_and_cleaned_up(workspace: Workspace) -> None:
    vm = ScriptedVm(ENDED)

    assert execute(workspace, vm)["status"] == "Completed"
    assert (vm.starts, trainings(workspace)) == (1, 1)
    assert vm.commands[-1] == "rm -rf azureml/r-1"


def test_a_process_that_was_started_before_we_could_note_it_is_adopted_and_counted(workspace: Workspace) -> None:
    note(workspace, "Preparing")
    vm = ScriptedVm({"/launched ]": "o-1"} | ENDED)

    assert execute(workspace, vm)["status"] == "Completed"
    assert (vm.starts, trainings(workspace)) == (0, 1)


def test_what_an_earlier_workspace_left_by_the_same_id_is_ended_and_replaced(workspace: Workspace) -> None:
    vm = ScriptedVm({"/launched ]": "o-0"} | ENDED)

    assert execute(workspace, vm)["status"] == "Completed"
    assert (vm.starts, trainings(workspace)) == (1, 1)
    ended = next(n for n, command in enumerate(vm.commands) if "for signal in TERM KILL" in command)
    assert ended < next(n for n, command in enumerate(vm.commands) if "rm -rf azureml/r-1" in command)


@pytest.mark.parametrize(
    "facts",
    [
        {"ended": {"status": 0}},
        {"ended": {"status": 0}, "tail": "a line"},
    ],
)
def test_a_run_whose_end_was_noted_never_starts_again_though_its_folder_is_gone(
    workspace: Workspace, facts: dict[str, Any]
) -> None:
    note(workspace, "Finalizing", touched=True, started=True, trainings=1, **facts)
    vm = ScriptedVm({"[ -e exit ]": "gone"})

    assert execute(workspace, vm)["status"] == "Completed"
    assert (vm.starts, trainings(workspace)) == (0, 1)


def test_a_started_run_without_process_and_exit_status_has_failed(workspace: Workspace) -> None:
    note(workspace, "Running", touched=True, started=True, trainings=1)
    vm = ScriptedVm({"[ -e exit ]": "gone"})

    run = execute(workspace, vm)

    assert (run["status"], message(run)) == ("Failed", "the process vanished\na line")
    assert vm.starts == 0


def test_a_cancel_that_was_asked_for_before_the_restart_is_carried_out(workspace: Workspace) -> None:
    note(workspace, "CancelRequested", touched=True, started=True, trainings=1)
    vm = ScriptedVm({"[ -e exit ]": "running"})

    assert execute(workspace, vm)["status"] == "Canceled"
    assert any("for signal in TERM KILL" in command for command in vm.commands)


def test_a_run_that_was_cancelled_while_it_was_being_started_is_ended_on_the_vm_and_not_started(
    workspace: Workspace,
) -> None:
    note(workspace, "Preparing", touched=True)
    note(workspace, "CancelRequested")
    vm = ScriptedVm(ENDED)

    assert execute(workspace, vm)["status"] == "Canceled"
    assert (vm.starts, trainings(workspace)) == (0, 0)
    assert any("for signal in TERM KILL" in command for command in vm.commands)
    assert vm.commands[-1] == "rm -rf azureml/r-1"


def test_a_run_that_was_cancelled_before_the_vm_was_reached_does_not_need_the_vm(workspace: Workspace) -> None:
    note(workspace, "Preparing")
    note(workspace, "CancelRequested")
    vm = ScriptedVm(trouble=[UnreachableError("SSH to me@vm:22 failed: refused")])

    assert execute(workspace, vm)["status"] == "Canceled"
    assert vm.commands == []


def test_a_run_that_cannot_be_brought_to_the_vm_fails_and_leaves_nothing(workspace: Workspace) -> None:
    class FullVm(ScriptedVm):
        def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
            raise CommandError("status 1: No space left on device")

    vm = FullVm(ENDED)
    run = execute(workspace, vm)

    assert (run["status"], vm.starts) == ("Failed", 0)
    assert "No space left on device" in message(run)
    assert vm.commands[-1] == "rm -rf azureml/r-1"


def test_a_limit_counts_from_the_first_start(workspace: Workspace) -> None:
    note(
        workspace,
        "Running",
        touched=True,
        started=True,
        trainings=1,
        definition=DEFINITION | {"maxRunDurationSeconds": 60},
    )
    workspace.store.change(runs.RUN, "r-1", lambda run: run.update(startTimeUtc="2020-01-01T00:00:00Z"))

    run = execute(workspace, ScriptedVm({"[ -e exit ]": "running"}))

    assert run["status"] == "Canceled"
    assert "maxRunDurationSeconds of 60" in message(run)


def test_a_lost_vm_is_reported_with_what_may_still_run_there(workspace: Workspace) -> None:
    note(workspace, "Running", touched=True, started=True, trainings=1)

    run = execute(workspace, ScriptedVm(trouble=[UnreachableError("SSH to me@vm:22 failed: refused")]))

    assert run["status"] == "Failed"
    assert message(run).startswith("SSH to me@vm:22 failed: refused; check that the VM is up")
    assert message(run).endswith("its process may still run there")


def test_what_cannot_get_better_is_not_tried_again(workspace: Workspace) -> None:
    vm = ScriptedVm(trouble=[RefusedError("no host key is known"), AssertionError("tried again")])

    run = execute(workspace, vm, patience=60)

    assert run["status"] == "Failed"
    assert len(vm.trouble) == 1
    assert "may still run" not in message(run)


def test_what_a_run_left_on_a_vm_out_of_reach_is_removed_once_it_is_back(workspace: Workspace) -> None:
    note(workspace, "Running", touched=True, started=True, trainings=1)
    vm = ScriptedVm(trouble=[UnreachableError("away")])
    assert execute(workspace, vm)["status"] == "Failed"

    vm.trouble = [UnreachableError("still away")]
    asyncio.run(Runner(workspace, "r-1", cast("VmLink", vm), 0, pace=0).sweep())

    assert "process" in vm.commands[-2], "what still runs is ended first"
    assert vm.commands[-1] == "rm -rf azureml/r-1"
    commands = len(vm.commands)
    asyncio.run(Runner(workspace, "r-1", cast("VmLink", vm), 0, pace=0).sweep())
    assert len(vm.commands) == commands, "nothing is left to remove"
