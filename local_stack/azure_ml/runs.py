"""Experiments and runs: their state, apart from HTTP."""

import uuid
from typing import Any

from local_stack.azure_ml.workspace import Workspace, now_text

EXPERIMENT, RUN, EXECUTION = "experiment", "run", "execution"
TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
WAITING = frozenset({"NotStarted", "Queued"})  # nothing has happened on a VM yet
_ORDER = ("NotStarted", "Queued", "Preparing", "Running", "Finalizing", "CancelRequested")


def experiment(workspace: Workspace, name: str) -> dict[str, Any]:
    """The experiment of that name, made when it is new."""
    workspace.store.add(EXPERIMENT, name, {"experimentId": str(uuid.uuid4()), "name": name, "createdUtc": now_text()})
    found = workspace.store.get(EXPERIMENT, name)
    assert found is not None  # noqa: S101 - just added
    return found


def create_run(workspace: Workspace, experiment_name: str, run_id: str, **fields: Any) -> bool:
    """Create a run; False when the id is taken, also by another experiment."""
    owner = experiment(workspace, experiment_name)
    number = len([run for run in workspace.store.all(RUN) if run["experimentId"] == owner["experimentId"]]) + 1
    run = {
        "runId": run_id,
        "rootRunId": run_id,
        "runNumber": number,
        "experimentId": owner["experimentId"],
        "experimentName": experiment_name,
        "status": "NotStarted",
        "properties": {"azureml.runsource": "experiment"},
        "tags": {},
        "dataContainerId": f"dcid.{run_id}",
        "createdUtc": now_text(),
        "createdBy": {"userName": "service principal"},
        "runType": "azureml.scriptrun",
        **fields,
    }
    return workspace.store.add(RUN, run_id, run)


def set_status(workspace: Workspace, run_id: str, status: str, *, error: str | None = None) -> None:
    """Move a run to ``status``. It only moves on: a terminal status is never left, and CancelRequested only for one."""
    ended = False

    def edit(run: dict[str, Any]) -> None:
        nonlocal ended
        current = run["status"]
        if current in TERMINAL or (status not in TERMINAL and _ORDER.index(status) <= _ORDER.index(current)):
            return
        run["status"] = status
        if status == "Running":
            run.setdefault("startTimeUtc", now_text())
        if status in TERMINAL:
            ended = True
            run["endTimeUtc"] = now_text()
            if error:
                run["error"] = {"error": {"code": "UserError", "message": error, "details": []}}

    run = workspace.store.change(RUN, run_id, edit)
    if ended and run is not None:
        workspace.on_ended(run)


_OURS = ("experimentName",)  # kept with a run, and no property of one
_IN_DETAILS = frozenset(
    {
        "runId",
        "target",
        "status",
        "parentRunId",
        "startTimeUtc",
        "endTimeUtc",
        "error",
        "warnings",
        "properties",
        "tags",
    }
)


def view(workspace: Workspace, run: dict[str, Any]) -> dict[str, Any]:
    """A run as the history service shows it."""
    experiment_url = f"{workspace.url}/execution/v1.0{workspace.scope}/experiments/{run['experimentName']}"
    shown = {name: value for name, value in run.items() if name not in _OURS}
    return shown | {"cancelUri": f"{experiment_url}/runId/{run['runId']}/cancel"}


def details(run: dict[str, Any]) -> dict[str, Any]:
    """What of a run its details show too."""
    return {name: value for name, value in run.items() if name in _IN_DETAILS}
