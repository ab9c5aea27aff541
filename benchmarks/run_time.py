"""The wall time of a run, asked for by HTTP and orchestrated, against :mod:`benchmarks.bare_run` on the same stack."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import Row
from local_stack.app_client import AppClient, Endpoints, app_client, land
from local_stack.demo_data import breast_cancer_story
from local_stack.prepare import prepare
from local_stack.supervisor import Stack
from local_stack.supervisor.app_settings import app_settings

ROOT = Path(__file__).resolve().parent.parent
PIPELINE, PARAMETER = "breast-cancer", "inverse_regularisation"
REPETITIONS = 4
WARM_UP = 1  # both sides import azureml and open the workspace once


def run() -> list[Row]:
    """Each side by itself, on the same stack and data; the parameter makes every run a new one."""
    cache = ROOT / ".local" / "cache"
    with TemporaryDirectory(prefix="run-time-") as folder:
        with Stack.start(Path(folder), cache=cache) as stack:
            prepare(stack.endpoints, [PIPELINE], cache=cache, progress=lambda _: None)
            story = breast_cancer_story()
            for name, content in {story.holdout_name: story.holdout, **story.first, **story.second}.items():
                land(stack.endpoints, PIPELINE, name, content)
            with app_client(stack.endpoints) as app:
                ours = [_orchestrated(app, 0.3 + number / 1000) for number in range(WARM_UP + REPETITIONS)]
            bare = _bare(stack.endpoints, [0.31 + number / 1000 for number in range(WARM_UP + REPETITIONS)])
        Stack.clean(Path(folder))
    mine, baseline = statistics.median(ours[WARM_UP:]), statistics.median(bare[WARM_UP:])
    return [
        Row(
            what="wall time of a run against a bare script",
            ours=f"{mine:.2f} s",
            baseline=f"{baseline:.2f} s",
            ratio=mine / baseline,
            goal=1.10,
            remark="what remains is the time until a poll notices that the training has ended",
        )
    ]


def _orchestrated(app: AppClient, value: float) -> float:
    began = time.perf_counter()
    answer = app.post(f"/api/pipelines/{PIPELINE}/runs", {"parameters": {PARAMETER: value}})
    answer.raise_for_status()
    run = app.wait_for_outcome(answer.json()["run_id"], pause=0.2)
    wall = time.perf_counter() - began
    assert run["outcome"] == "promoted", run["reason"]
    # The app's own account, without our looking; it must be the time that has passed, not another run's.
    seconds = float(run["seconds"])
    assert 0.5 * wall - 2 < seconds <= wall + 1, f"the run says {seconds:.1f} s, and {wall:.1f} s have passed"
    return seconds


def _bare(endpoints: Endpoints, values: list[float]) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.bare_run", PIPELINE, PARAMETER, *map(str, values)]
    environment = dict(os.environ) | app_settings(endpoints)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the bare script failed: {done.stderr[-2000:]}")
    taken: list[float] = json.loads(done.stdout.splitlines()[-1])
    assert len(taken) == len(values), f"{len(taken)} of {len(values)} bare runs"
    return taken
