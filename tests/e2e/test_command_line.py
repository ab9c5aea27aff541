"""An operator's day at the running stack, typed: data in, a run and its evidence, a prediction, the same again."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_stack.demo_data import diabetes_story
from local_stack.sample_data import write
from local_stack.supervisor import Stack
from tests.support.service_process import ROOT

STORY = diabetes_story()
PIPELINE = STORY.pipeline
Typed = Callable[..., Any]


@pytest.fixture(scope="module")
def typed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """Runs ``edgetrain ... --json`` as an operator of this stack; gives its document, and checks its exit status."""
    folder = tmp_path_factory.mktemp("operator")
    write(STORY, folder)
    surroundings = {name: text for name, text in os.environ.items() if not name.startswith("EDGETRAIN_")}
    surroundings |= {
        "EDGETRAIN_URL": stack.endpoints["functions_host"]["url"],
        "EDGETRAIN_KEY": stack.endpoints["functions_host"]["function_key"],
        "HUB_STORAGE": stack.endpoints["hub_storage"]["connection_string"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
    }

    def run(*arguments: str, status: int = 0) -> Any:
        ended = subprocess.run(
            [sys.executable, "-m", "cli", *arguments, "--json"],
            cwd=folder,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ended.returncode == status, ended.stdout + ended.stderr
        return json.loads(ended.stdout)

    return run


def test_an_operators_day(typed: Typed) -> None:
    first = Path("first")
    uploaded = typed("upload", PIPELINE, str(first / "landing"), "--holdout", str(first / STORY.holdout_name), "--yes")
    run = typed("start", PIPELINE, "--reason", "a first model", "--yes", "--wait")

    assert (run["outcome"], run["note"]) == ("promoted", "a first model")
    assert uploaded["uploaded"]
    assert [each["run_id"] for each in typed("runs", PIPELINE)["runs"]] == [run["run_id"]]
    assert typed("run", run["run_id"], "--watch")["version"] == run["version"]
    assert typed("why", PIPELINE, uploaded["uploaded"][-1])["sentence"]
    assert typed("pipelines", PIPELINE)["champion"]["run_id"] == run["run_id"]
    assert typed("score", PIPELINE, "request.json")["answer"]["predictions"]
    assert typed("logs", run["run_id"])["command"].endswith(f"{run['run_id']}.log")


def test_the_same_again_is_nothing_new(typed: Typed) -> None:
    typed("upload", PIPELINE, "first/landing", "--yes")
    again = typed("start", PIPELINE, "--yes")

    assert again["started"] is False
    assert typed("cancel", again["run_id"], "--yes")["sentence"]


def test_what_is_refused_ends_with_status_1(typed: Typed) -> None:
    assert typed("run", "no-such-run", status=1)["error"] == "unknown_run"
    assert typed("start", "no-such-pipeline", "--yes", status=1)["error"] == "unknown_pipeline"
    assert typed("approve", typed("runs", PIPELINE)["runs"][0]["run_id"], "--yes", status=1)["error"] == "not_waiting"
