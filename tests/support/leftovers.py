"""What a run may leave behind, looked up where it would be: on the VM, among processes, among orchestrations."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import requests

from local_stack.app_client import Endpoints, deadline
from local_stack.stack_hub.engine import find
from local_stack.stack_hub.vm import Vm
from local_stack.supervisor.layout import Layout


def containers(state: Path, pipeline: str) -> dict[str, str]:
    """Run id -> status of every container of a pipeline on the VM, whether it runs or not."""
    vm = Vm(state / "vm", Layout.at(state).runtime, port=0)
    engine = find(vm.engine_configuration)
    listing = subprocess.run(
        [engine.name, "ps", "--all", "--filter", f"label=edgetrain.pipeline={pipeline}", "--format", "json"],
        env={**os.environ, **engine.environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return {found["Labels"]["edgetrain.run-id"]: found["State"] for found in json.loads(listing.stdout or "[]")}


def training_folders(endpoints: Endpoints) -> list[str]:
    """Runs whose working folder is on the VM."""
    folder = Path(endpoints["vm"]["home"]) / "azureml"
    return sorted(child.name for child in folder.iterdir()) if folder.is_dir() else []


def processes(word: str) -> list[str]:
    """Command lines of all processes that have the word in theirs; this one and what it runs have not."""
    lines = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:  # it has ended meanwhile
            continue
        line = " ".join(part.decode(errors="replace") for part in words)
        if word in line:
            lines.append(line)
    return lines


def running_orchestrations(endpoints: Endpoints) -> list[str]:
    """Instances that have not ended."""
    host = endpoints["functions_host"]
    answer = requests.get(
        f"{host['url']}/runtime/webhooks/durabletask/instances",
        params={"code": host["durable_task_key"], "runtimeStatus": "Running,Pending"},
        timeout=300,
    )
    answer.raise_for_status()
    return [str(instance["instanceId"]) for instance in answer.json()]


def wait_until_no_orchestration_runs(endpoints: Endpoints) -> None:
    """What a run has begun may end a little after it; what was left behind does not end by itself."""
    for _ in deadline(300, "the end of all orchestrations"):
        if not running_orchestrations(endpoints):
            return


def begin(endpoints: Endpoints, orchestration: str, instance_id: str, given: Any) -> None:
    """Start an orchestration by itself."""
    host = endpoints["functions_host"]
    answer = requests.post(
        f"{host['url']}/runtime/webhooks/durabletask/orchestrators/{orchestration}/{instance_id}",
        params={"code": host["durable_task_key"]},
        json=given,
        timeout=300,
    )
    answer.raise_for_status()


def history(endpoints: Endpoints, instance_id: str) -> list[dict[str, Any]]:
    """What an instance has been through; nothing when there is no such instance."""
    host = endpoints["functions_host"]
    answer = requests.get(
        f"{host['url']}/runtime/webhooks/durabletask/instances/{instance_id}",
        params={"code": host["durable_task_key"], "showHistory": "true"},
        timeout=300,
    )
    found: list[dict[str, Any]] = answer.json().get("historyEvents", []) if answer.content else []
    return found
