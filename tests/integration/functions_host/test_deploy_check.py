"""``edgetrain deploy-check`` asks a real host what is under way there, and says what would break under this code."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.client.places import Place
from cli.deploy_check.fetching import InstancesUnderWay
from tests.support.functions_host import HostProcess, running_host
from tests.support.service_process import ROOT, eventually

APP = '''
import azure.durable_functions as df

app = df.DFApp()


@app.activity_trigger(input_name="command")
def announce(command: dict) -> dict:
    return {"value": {}}


@app.orchestration_trigger(context_name="context")
def await_training(context: df.DurableOrchestrationContext):
    """As by another version: this one asks for something else first."""
    yield context.call_activity("announce", {})
    yield context.wait_for_external_event("never")


@app.orchestration_trigger(context_name="context")
def of_before(context: df.DurableOrchestrationContext):
    yield context.wait_for_external_event("never")
'''


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    """A host of another version of the app, which checks keys."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "function_app.py").write_text(APP, encoding="utf-8")
    (root / "host.json").write_text('{"version": "2.0"}', encoding="utf-8")
    with running_host(tmp_path / "host", "--enforce-keys", app=root) as host:
        yield host


def check(host: HostProcess, key: str, *, status: int) -> Any:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("EDGETRAIN_")}
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "deploy-check", "--url", host.url, "--json"],
        cwd=ROOT,
        env=environment | {"EDGETRAIN_DURABLE_KEY": key},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def test_what_would_break_is_named_with_its_step(host: HostProcess) -> None:
    key = str(host.endpoints["system_keys"]["durabletask_extension"])
    assert check(host, key, status=0) == {"safe": True, "under_way": {}, "would_break": []}
    for name in ("await_training", "of_before"):
        assert host.durable("POST", f"orchestrators/{name}/{name}", json={}).status_code == 202

    def announced() -> bool:
        shown = host.durable("GET", "instances/await_training", params={"showHistory": "true"}).json()
        return any(event["EventType"] == "TaskCompleted" for event in shown["historyEvents"])

    assert eventually(announced)

    said = check(host, key, status=1)

    assert said["safe"] is False
    assert said["under_way"] == {"await_training": 1, "of_before": 1}
    reasons = {each["instance"]: each["reason"] for each in said["would_break"]}
    assert reasons["of_before"] == "this version has no orchestration of_before"
    assert reasons["await_training"]
    key_of_all = Place(host.url, str(host.endpoints["master_key"]))
    by_pages = InstancesUnderWay(key_of_all, seconds=30, page=1)
    assert {each["instanceId"] for each in by_pages.histories()} == {"await_training", "of_before"}
    by_pages.close()
    refused = check(host, "another-key", status=1)
    assert (refused["error"], refused["status"]) == ("unauthorized", 401)
    assert "durabletask_extension" in refused["remedy"]
