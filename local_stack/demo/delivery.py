"""How models are delivered: approved by somebody, with a canary on a VM and in the cloud, taken back, cancelled.

All that a person does here is a command of ``edgetrain``, run as a person would run it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
import yaml

from local_stack.app_client import deadline
from local_stack.demo.cast import PIPELINE, Cast
from local_stack.demo.expectations import expect
from local_stack.demo.runs import PACE, Run, Stages, outcome_of
from local_stack.demo.screen import Step

TARGETS: Final = ("hub-vm", "cloud")
BY: Final = "Ada Lind"
_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_DELIVERY: Final[dict[str, Any]] = {
    "targets": [{"name": name, "health_seconds": 180} for name in TARGETS],
    "on_failure": "roll_back_all",  # a model that fails on one target is taken back from all
    "approval": {"hours": 1, "otherwise": "reject"},
    "strategy": {"steps": [25, 50], "soak_seconds": 3, "least_requests": 8, "watch_seconds": 1},
}
_SETTLE: Final = {"quiet_seconds": 5, "longest_wait_seconds": 300}
"""A burst is one window also where 25 files take some seconds to land."""
_TRAINING_SECONDS: Final = 12
_FORGETFUL: Final = '''

_answered: list[str] = []
_healthy = run


def run(raw_body: str) -> Any:
    """Keep the last answers, for a reason that nobody remembers; there is room for five."""
    if len(_answered) == 5:
        raise RuntimeError("no room for another answer")
    _answered.append(raw_body)
    return _healthy(raw_body)
'''


def deliver_with_care(root: Path) -> None:
    """Have the pipeline's models go to both targets, after somebody's approval and with a canary."""
    path = root / "pipelines" / f"{PIPELINE}.yaml"
    pipeline = yaml.safe_load(path.read_text(encoding="utf-8"))
    pipeline["deliver"] |= _DELIVERY
    pipeline["settle"] |= _SETTLE
    pipeline["train"]["expected_seconds"] = _TRAINING_SECONDS  # whoever polls goes by it
    path.write_text(yaml.safe_dump(pipeline, sort_keys=False), encoding="utf-8")


@contextmanager
def forgetful_scoring(root: Path) -> Iterator[None]:
    """For runs that begin in the block, ``score.py`` passes every check and fails after five requests."""
    path = root / "training" / "breast_cancer" / "score.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + _FORGETFUL, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def edgetrain(cast: Cast, *words: str) -> Any:
    """Run a command of ``edgetrain``, and show it; its answer with ``--json``."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    cast.screen.say(f"      $ edgetrain {shown}")
    app = cast.endpoints["functions_host"]
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words, "--json"],
        cwd=_REPOSITORY,
        env={**os.environ, "EDGETRAIN_URL": app["url"], "EDGETRAIN_KEY": app["function_key"]},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    said = (done.stdout + done.stderr).strip()[-800:]
    expect(done.returncode == 0, f"edgetrain {words[0]} ended with {done.returncode}: {said}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def follow_approved(
    cast: Cast, step: Step, run_id: str, *, expected: str, asked: Callable[[], None] = lambda: None
) -> Run:
    """Show that a run waits for somebody, approve it on the command line, and follow it to its end.

    ``asked``: called before it is approved.
    """
    stages = Stages()
    wait_for_question(cast, step, run_id, stages)
    asked()
    edgetrain(cast, "approve", run_id, "--by", BY, "--reason", "the metrics hold", "--yes")
    run = outcome_of(cast, step, run_id, stages)
    expect(run["outcome"] == expected, f"run {run_id} ended as {run['outcome']}: {run['reason']}")
    step.note = f"{run['outcome']}: {run['reason']} ({stages.summary()})"
    return run


def wait_for_question(cast: Cast, step: Step, run_id: str, stages: Stages) -> None:
    """Wait until every target of a run waits for somebody's decision."""
    for _ in deadline(600, f"the question whether run {run_id} may be rolled out", PACE):
        run = cast.app.run(run_id)
        cast.screen.note(step, stages.see(run))
        expect(run["outcome"] is None, f"run {run_id} ended as {run['outcome']}: {run['reason']}")
        roll_outs = (run.get("progress") or {}).get("roll_outs")
        if roll_outs and all(each.get("phase") == "approval" for each in roll_outs.values()):
            cast.screen.say(f"      run {run_id} waits for somebody to approve it for {', '.join(roll_outs)}")
            time.sleep(2)  # for whoever watches
            return


def start(cast: Cast, reason: str) -> str:
    """Ask for a training of what was trained already; the run's id."""
    answer = edgetrain(cast, "start", PIPELINE, "--force", "--reason", reason, "--yes")
    return str(answer["run_id"])


def show_canary(cast: Cast, run: Run) -> None:
    """What each target's canary has seen."""
    for target in run["targets"]:
        steps = "; ".join(
            f"{each['weight']} %: {each['errors']} of {each['requests']} requests failed ({each['verdict']})"
            for each in target["canary"]
        )
        cast.screen.say(f"      {target['target']}: {steps or 'no canary'}")


def cancel_one(cast: Cast, run_id: str) -> dict[str, Any]:
    """A run that waits for approval is cancelled: what serves is what served."""
    with cast.screen.step("a run that waits for approval is cancelled on the command line") as step:
        wait_for_question(cast, step, run_id, Stages())
        edgetrain(cast, "cancel", run_id, "--yes", "--wait")
        run = cast.app.run(run_id)
        expect(run["outcome"] == "cancelled", f"run {run_id} ended as {run['outcome']}: {run['reason']}")
        expect("left to do" not in run["reason"], f"something of run {run_id} is left: {run['reason']}")
        step.note = run["reason"]
    return {"run_id": run_id, "outcome": run["outcome"], "reason": run["reason"]}


def roll_back(cast: Cast, url: str, request: Any) -> dict[str, Any]:
    """The release before serves again, on the command line, and its answers say so."""
    with cast.screen.step("a person takes the model back on the VM") as step:
        words = ("--target", TARGETS[0], "--reason", "wrong for small samples", "--by", BY, "--yes", "--wait")
        edgetrain(cast, "roll-back", PIPELINE, *words)
        answer = requests.post(f"{url}/score", json=request, timeout=60)
        version = answer.headers.get("x-edgetrain-version")
        expect(answer.status_code == 200 and version == "1", f"{answer.status_code}, version {version}, not 1")
        step.note = f"version {version} answers, of run {answer.headers['x-edgetrain-run']}"
    return {"target": TARGETS[0], "version": version}


def verify_passport(cast: Cast, run: Run, folder: Path) -> dict[str, Any]:
    """The passport of a run's model is signed and fits; changed by one letter, it does not."""
    with cast.screen.step(f"the passport of version {run['version']} is verified without a network") as step:
        path = folder / f"passport-{run['run_id']}.json"
        key = cast.endpoints["signing"]["public_key_file"]
        edgetrain(cast, "passport", "show", run["run_id"], "--save", str(path))
        edgetrain(cast, "passport", "verify", str(path), "--key", key)
        step.note = f"{path.stat().st_size} bytes, kept in {path}"
    return {"run_id": run["run_id"], "bytes": path.stat().st_size}
