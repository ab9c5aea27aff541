"""Record histories of real runs for ``tests/replay``: ``python -m tests.support.history_recorder``.

Starts a local stack, lets runs end in every way, and writes each orchestration's last execution as the host stored it.
Takes about two minutes. Addresses of this machine are replaced; histories hold references only, no data and no secret.
"""

import json
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from local_stack.app_client import AppClient, app_client, blob_created, deadline, land
from local_stack.demo_data import breast_cancer_story
from local_stack.supervisor import Stack
from tests.support.stack import running_stack

FOLDER = Path(__file__).resolve().parents[1] / "replay" / "histories"
PIPELINE = "breast-cancer"
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")

Run = dict[str, Any]


def main() -> None:
    """Play every scenario and write its histories."""
    FOLDER.mkdir(exist_ok=True)
    with running_stack(PIPELINE) as stack, app_client(stack.endpoints) as app:
        data = breast_cancer_story()
        land(stack.endpoints, PIPELINE, data.holdout_name, data.holdout)
        record(stack, "promoted", drop(stack, app, data.first))
        record(stack, "woken", drop(stack, app, data.second, wake=True))
        record(stack, "not_promoted", drop(stack, app, data.bad))
        broken = {"landing/part-4.csv": b"not,what,was,agreed\n1,2,3,4\n"}
        record(stack, "training_failed", drop(stack, app, broken))
        stack.stop_service("haproxy")
        again = {"landing/part-4.csv": data.second["landing/part-3.csv"]}
        record(stack, "rolled_back", drop(stack, app, again))
        asked = app.post(f"/api/pipelines/{PIPELINE}/runs").json()
        record(stack, "asked_again", {"run_id": asked["run_id"]}, only="request_run")


def drop(stack: Stack, app: AppClient, parts: dict[str, bytes], *, wake: bool = False) -> Run:
    """Let files land and wait for the outcome; ``wake``: Azure ML tells of every change meanwhile."""
    known = {run["run_id"] for run in app.runs(PIPELINE)}
    for name, content in parts.items():
        app.deliver(blob_created(stack.endpoints, land(stack.endpoints, PIPELINE, name, content)))
    run_id = app.wait_for_new_run(PIPELINE, known)
    if wake:
        for _ in deadline(60, "the training"):
            if (app.run(run_id).get("progress") or {}).get("phase") in {"preparing", "running"}:
                break
        event = {**blob_created(stack.endpoints, land(stack.endpoints, "other", "x", b"x")), "data": {"runId": run_id}}
        event["eventType"] = "Microsoft.MachineLearningServices.RunStatusChanged"
        app.deliver(event, function="on_training_status")
    return app.wait_for_outcome(run_id)


def record(stack: Stack, scenario: str, run: Run, *, only: str = "") -> None:
    """Write the histories of a run's orchestrations once the last of them has ended."""
    sys.stdout.write(f"{scenario}: {run.get('outcome', run['run_id'])}\n")
    for name, instance_id, history in _histories(stack, run["run_id"]):
        if only in ("", name):
            document = {"orchestrator": name, "instance_id": instance_id, "history": history}
            text = _ADDRESS.sub("vm.example:8400", json.dumps(document, indent=1, sort_keys=True))
            (FOLDER / f"{scenario}.{name}.json").write_text(text + "\n", encoding="utf-8")


def _histories(stack: Stack, run_id: str) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Name, id and events of every ended orchestration that has to do with the run."""
    file = next((stack.state / "functions_host").glob("*.sqlite3"))
    query = (
        "SELECT name, instance_id FROM instances WHERE status = 'Completed' AND (instance_id LIKE ? OR output LIKE ?)"
    )
    for _ in deadline(30, f"the end of the orchestrations of {run_id}"):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            running = connection.execute("SELECT count(*) FROM instances WHERE status = 'Running'").fetchone()[0]
            if running:
                continue
            found = connection.execute(query, (f"{run_id}%", f"%{run_id}%")).fetchall()
            return [(name, instance_id, _events(connection, instance_id)) for name, instance_id in found]
    raise AssertionError  # deadline() raises first


def _events(connection: sqlite3.Connection, instance_id: str) -> list[dict[str, Any]]:
    turns = connection.execute("SELECT events FROM history WHERE instance_id = ? ORDER BY turn", (instance_id,))
    return [_without_stack(event) for (events,) in turns for event in json.loads(events)]


def _without_stack(event: dict[str, Any]) -> dict[str, Any]:
    """A failure's details are a stack with paths of this machine; nothing in the app reads them."""
    return event | {key: None for key in ("Details", "FailureDetails") if key in event}


if __name__ == "__main__":
    main()
