"""An operator's day at the running stack, typed: data in, a run and its evidence, a prediction, the same again."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_stack.demo_data import diabetes_story
from local_stack.sample_data import write
from local_stack.supervisor import Stack
from tests.support.changed_app import ChangedApp
from tests.support.operator import Operator
from tests.support.runbooks import as_printed
from tests.support.service_process import ROOT

STORY = diabetes_story()
PIPELINE = STORY.pipeline


@pytest.fixture(scope="module")
def typed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """An operator of this stack, with files of the story."""
    folder = tmp_path_factory.mktemp("operator")
    write(STORY, folder)
    return Operator(stack, folder)


def test_an_operators_day(typed: Operator) -> None:
    first = Path("first")
    uploaded = typed("upload", PIPELINE, str(first / "landing"), "--holdout", str(first / STORY.holdout_name), "--yes")
    run = typed(*as_printed("start", PIPELINE=PIPELINE), "--reason", "a first model", "--yes", "--wait")

    assert run["outcome"] == "promoted"
    assert run["note"] == "asked by the holder of function key local (a key, not a person): a first model"
    assert uploaded["uploaded"]
    assert [each["run_id"] for each in typed("runs", PIPELINE)["runs"]] == [run["run_id"]]
    assert typed("run", run["run_id"], "--watch")["version"] == run["version"]
    assert typed("why", PIPELINE, uploaded["uploaded"][-1])["sentence"]
    assert typed("pipelines", PIPELINE)["champion"]["run_id"] == run["run_id"]
    same = typed("compare", run["run_id"], run["run_id"])
    assert same["comparable"]
    assert (same["parameters"], same["files"]["added"], same["files"]["removed"]) == ([], 0, 0)
    assert {each["difference"] for each in same["metrics"]} == {0}
    assert typed("score", PIPELINE, "request.json")["answer"]["predictions"]
    assert typed(*as_printed("logs", RUN=run["run_id"]))["command"].endswith(f"{run['run_id']}.log")


def test_the_same_again_is_nothing_new(typed: Operator) -> None:
    typed("upload", PIPELINE, "first/landing", "--yes")
    again = typed("start", PIPELINE, "--yes")

    assert again["started"] is False
    assert typed("cancel", again["run_id"], "--yes")["sentence"]


def test_the_doctor_finds_what_was_used_as_it_should_be(typed: Operator) -> None:
    site = typed.stack.endpoints["hub_storage"].get("site", "factory")
    findings = typed("doctor", "--site", site, "--all", status=None)["findings"]

    others = {"digits", "scans", "breast-cancer"}  # they may have no data here
    alarms = [each for each in findings if each["state"] in {"wrong", "unknown"}]
    assert [each for each in alarms if each["subject"] not in {f"pipeline {name}" for name in others}] == []
    assert {each["subject"] for each in findings} >= {"app", f"site {site}", "compute hub-vm", f"pipeline {PIPELINE}"}
    assert typed("doctor", "--site", "nowhere", status=1)["error"] == "unknown_site"


def test_what_is_refused_ends_with_status_1(typed: Operator) -> None:
    assert typed("run", "no-such-run", status=1)["error"] == "unknown_run"
    assert typed("start", "no-such-pipeline", "--yes", status=1)["error"] == "unknown_pipeline"
    assert typed("approve", typed("runs", PIPELINE)["runs"][0]["run_id"], "--yes", status=1)["error"] == "not_waiting"


def test_an_app_that_is_pointed_at_a_restored_copy_goes_on(typed: Operator, tmp_path: Path) -> None:
    copy = str(typed.folder / "ledger.gz")
    before = {name: typed(name) for name in ("pipelines", "runs", "targets")}
    ledger_copy(typed.stack, "backup", copy)
    ledger_copy(typed.stack, "restore", copy, "--prefix", "restored")

    with ChangedApp.copied_to(tmp_path / "app").deployed(typed.stack, EDGETRAIN_LEDGER_PREFIX="restored"):
        after = {name: typed(name) for name in before}
        again = typed("start", PIPELINE, "--yes")

    assert champions(after) == champions(before)
    assert champions(before)[PIPELINE]
    assert [run["run_id"] for run in after["runs"]["runs"]] == [run["run_id"] for run in before["runs"]["runs"]]
    assert again["started"] is False, "what was trained is known"
    assert serving(after) == serving(before)


def champions(said: dict[str, Any]) -> dict[str, str | None]:
    """By pipeline, the run whose model serves."""
    return {each["name"]: (each["champion"] or {}).get("run_id") for each in said["pipelines"]["pipelines"]}


def serving(said: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    """By target and pipeline: the run that serves, and how that differs from what should."""
    rows = said["targets"]["targets"]
    return {(each["target"], each["pipeline"]): (each["serving"], each["drift"]) for each in rows}


def ledger_copy(stack: Stack, *arguments: str) -> None:
    """Type ``edgetrain backup`` or ``restore`` with the app's storage in the shell, as an operator has it."""
    storage = {"AzureWebJobsStorage": stack.endpoints["cloud_storage"]["connection_string"]}
    subprocess.run(
        [sys.executable, "-m", "cli", *arguments], cwd=ROOT, env=os.environ | storage, check=True, timeout=300
    )
